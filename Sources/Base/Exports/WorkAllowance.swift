// SPDX-License-Identifier: Apache-2.0

/// How much work one connection may have its event loop do for it: what it makes out of few bytes
/// is bounded over time, whatever it sends.
///
/// Made out of a request are its inflated body and the arena that it is unpacked into. Four bytes
/// for each that is received are free, so that who sends what it means pays nothing. Beyond that
/// there is an allowance; a connection that has spent it has its requests decoded elsewhere, until
/// time has paid for what it had. Also what tells connections apart where they wait for their turn.
/// Thread: that of the connection. Cost: one atomic exchange, where anything is charged.
package final class WorkAllowance: Sendable {
    private let made = RateLimit(
        perSecond: Limits.inlineMadeBytesPerSecond, burst: Limits.inlineMadeBurstSizeBytes)

    /// Bytes made out of each byte received for which nothing is charged: requests unpack to up to
    /// three times their size, and another one for their attributes.
    static let freeBytesPerByte = 4

    package init() {}

    /// Whether there is nothing left at the monotonic time `nowNs`.
    package func isSpent(nowNs: UInt64) -> Bool { made.waitNs(nowNs: nowNs) != nil }

    /// Charges for `madeBytes` that were made out of `receivedBytes`.
    package func charge(receivedBytes: Int, madeBytes: Int, nowNs: UInt64) {
        let chargedBytes = madeBytes - receivedBytes * WorkAllowance.freeBytesPerByte
        if chargedBytes > 0 { made.charge(chargedBytes, nowNs: nowNs) }
    }
}
