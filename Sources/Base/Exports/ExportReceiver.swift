// SPDX-License-Identifier: Apache-2.0

/// Takes Export requests from a server that is no station of the data path.
///
/// The server and the daemon know each other by this protocol and `ExportServer` only.
/// A lane is what one thread of the server has for itself: pass the same number on the same thread,
/// and on no other.
package protocol ExportReceiver: ConnectionDoor {
    /// What bodies are reserved from.
    var budget: MemoryBudget { get }
    var counters: Counters { get }
    /// Decides who may send.
    var authenticator: any Authenticator { get }
    /// Lanes are numbered from 0.
    var laneCount: Int { get }

    /// Milliseconds after which a client that is turned away should come back. Thread: any.
    var retryDelayMs: Int { get }

    /// Whether a header of the PROXY protocol has to come before the first byte of a connection.
    var expectsProxyHeader: Bool { get }

    /// Whether `peer` may send such a header; where not, its connection must be closed. Call before
    /// `connectionOpened`, which then is about whoever is behind the proxy, and only where headers
    /// are expected. Thread: any.
    func admitsProxy(_ peer: PeerAddress) -> Bool

    /// Notes a connection that was ended for its header. Thread: any.
    func proxyHeaderRefused(_ fault: ProxyHeaderFault)

    /// Takes `message` over. `reply` hears the outcome exactly once, on any thread, possibly before
    /// this returns. Cancel when nobody waits any more: what was not taken by a writer then is let
    /// go, because its client sends it again. `allowance` is the connection's, of all its streams.
    ///
    /// Cost: decodes what is small. Thread: that of `lane`, with `Limits.decodeStackSizeBytes` of
    /// stack.
    func receive(
        _ message: consuming ExportMessage, lane: Int, allowance: WorkAllowance,
        cancellation: Cancellation, reply: @escaping @Sendable (Outcome) -> Void)

    /// Says that the thread of `lane` is well: to be called about once a second. Thread: that of
    /// `lane`.
    func turned(lane: Int)

    /// Notes how long an acknowledgement took, from the end of the request. Thread: that of `lane`.
    func acknowledged(_ signal: Signal, afterNs: UInt64, lane: Int)
}

/// Serves OTLP/HTTP (`listen.http`).
package protocol ExportServer: Sendable {
    /// Binds or takes over, and serves on `receiver.laneCount` threads from then on. Returns the
    /// port, nil for a unix socket. Call once.
    func start(
        at address: ExportAddress, settings: ExportServerSettings, receiver: any ExportReceiver
    ) throws(APIServerFailure) -> UInt16?

    /// Takes no new connections and no new requests; what is being received or stored is still
    /// answered. Returns at once.
    func beginDrain()

    /// Whether no connection is left after `beginDrain`.
    var isDrained: Bool { get }

    /// Ends what `start` began; waits a moment for answers under way.
    func stop()
}

/// Where OTLP/HTTP is served.
package enum ExportAddress: Sendable, Equatable {
    /// On a socket that the server opens there.
    case bind(APIAddress)
    /// On a descriptor that listens already, does not wait, and is the server's from now on.
    case adopted(Int32)
}

/// What the operator decided about OTLP/HTTP.
package struct ExportServerSettings: Sendable, Equatable {
    /// One body, as it comes over the wire.
    package var requestSizeBytesMax = 64 << 20
    /// For a request from its head to its answer.
    package var deadlineNs: UInt64 = 30_000_000_000
    /// Header fields of one request.
    package var headerListSizeBytesMax = 16 << 10
    /// Requests at a time on one HTTP/2 connection.
    package var concurrentStreamCountMax = 128
    /// Flow-control windows of HTTP/2.
    package var streamWindowBytes = 1 << 20
    package var connectionWindowBytes = 8 << 20
    /// Origins whose pages may send: `https://app.example.com`, or `*` for every one.
    package var allowedOrigins: [String] = []

    package init() {}
}
