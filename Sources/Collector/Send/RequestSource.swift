// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A request that is to be sent.
struct PlannedRequest {
    let signal: Signal
    let itemCount: Int
    /// When it is to go out, on the monotonic clock; nil for at once.
    let dueNs: UInt64?
    /// Where it is from, for people; empty where it was made up.
    let origin: String
    /// Makes the message, when it is sent.
    let message: () -> [UInt8]
}

/// What became of a request.
enum RequestOutcome {
    /// Stored but for so many items, which will never be, for the reason that the receiver gives.
    case stored(rejectedCount: Int, reason: String)
    /// Refused for good, or given up.
    case failed(reason: String)
}

/// Where a `SenderConnection` has its requests from. Thread: those of the connections.
protocol RequestSource: Sendable {
    var delivery: Delivery { get }
    /// The next one; nil when there are no more. May wait for it.
    func next() -> PlannedRequest?
    /// Called once for each that was sent.
    func note(_ outcome: RequestOutcome, of request: PlannedRequest)
    /// None will be asked for any more: nobody answers. Returns how many items are left behind.
    func giveUp() -> Int
}
