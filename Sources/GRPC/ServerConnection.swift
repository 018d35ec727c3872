// SPDX-License-Identifier: Apache-2.0
package import Base
package import HTTP2

/// Limits of the gRPC station.
package struct GRPCSettings: Sendable {
    /// Largest message, on the wire and again unpacked (`limits.request_bytes_max`).
    package var messageSizeBytesMax = 64 << 20
    /// Time for one call where the client sets none or a longer one (`limits.request_deadline`).
    package var deadlineNs: UInt64 = 30_000_000_000
    /// Time for which a call may go without credit before it is told to come back.
    package var withholdingNsMax: UInt64 = 1_000_000_000
    /// Share of the memory budget above which new credit is withheld, in percent.
    package var memoryShortPercent = 75
    /// Time for which an answer may wait for the client's window.
    package var answerNsMax: UInt64 = 30_000_000_000
    /// Calls of reflection that one connection may have open: each holds answers for its client.
    package var conversationCountMax = 4

    package init() {}
}

/// The gRPC side of one connection: makes calls of its streams and gives them their answers.
///
/// Thread: the connection's loop.
package final class ServerConnection {
    package let session: Session
    let settings: GRPCSettings
    let budget: MemoryBudget
    let counters: Counters
    let health: HealthStatus
    let ackLatency: AckLatency
    /// Decides who may come in; nil lets everybody.
    let authenticator: (any Authenticator)?
    package weak var sink: (any ExportSink)?
    /// Where the other end is, for the log.
    package var peer: () -> String = { "" }
    /// What the other end has proved by its certificate; asked for once per call.
    package var certificate: () -> PeerIdentity? = { nil }
    /// What a call is told when memory is short; asked for at that moment.
    private let retryHint: () -> Int
    private var drain = Drain.none
    private var life: ConnectionLife
    private var isCut = false
    private var retirementText: StaticString = ""
    /// Calls of reflection that are open.
    var conversationCount = 0

    private enum Drain: Equatable {
        case none
        /// GOAWAY without a limit is out, and a PING beside it, which nghttp2 lets go first: what
        /// the client sent before it knew is still served.
        case announced(deadlineNs: UInt64)
        case final
    }

    private static let drainPingNsMax: UInt64 = 5_000_000_000
    /// From the answer to that PING to the last GOAWAY. gRPC's C core puts answers to PINGs before
    /// everything else that it has to send: calls that it began before it knew come behind them.
    private static let drainSettleNs: UInt64 = 100_000_000
    // What our PINGs carry, so that their answers can be told apart.
    private static let drainPing: UInt64 = 1
    private static let keepalivePing: UInt64 = 2

    package init(
        http2: HTTP2Settings, settings: GRPCSettings, times: ConnectionTimes = ConnectionTimes(),
        budget: MemoryBudget, counters: Counters,
        health: HealthStatus = HealthStatus(), ackLatency: AckLatency = AckLatency(),
        authenticator: (any Authenticator)? = nil, retryHint: @escaping () -> Int
    ) {
        session = Session(role: .server, settings: http2)
        self.settings = settings
        self.budget = budget
        self.counters = counters
        self.health = health
        self.ackLatency = ackLatency
        self.authenticator = authenticator
        self.retryHint = retryHint
        life = ConnectionLife(
            times, beganNs: Clock.monotonicNs, jitter: Double.random(in: 0...1))
        session.makeHandler = { [unowned self] _ in Call(connection: self) }
        session.pingAcknowledged = { [unowned self] payload in
            if payload == ServerConnection.drainPing { announcementAcknowledged() }
        }
    }

    /// Gives the call on `streamID` its outcome. Counted where nobody is there any more to hear it.
    package func answer(streamID: Int32, with outcome: Outcome) {
        guard let stream = session.openStream(streamID), let call = stream.handler as? Call else {
            return counters.add(.answersWithoutStream)
        }
        call.finish(outcome, on: stream)
    }

    package func tick(nowNs: UInt64) {
        session.forEachStream { stream in
            (stream.handler as? Call)?.tick(nowNs: nowNs, on: stream)
        }
        if case .announced(let deadlineNs) = drain, nowNs >= deadlineNs { finishAnnouncement() }
        live(nowNs: nowNs)
    }

    /// Does what the time of the connection demands.
    private func live(nowNs: UInt64) {
        switch life.tick(nowNs: nowNs, session.facts) {
        case .none: break
        case .ping: session.submitPing(ServerConnection.keepalivePing)
        case .retire(let retirement):
            counters.add(retirement.counter)
            retirementText = retirement.debugText
            beginDrain(nowNs: nowNs)
        case .cut:
            counters.add(.connectionsCut)
            isCut = true
        case .end(let abuse): session.end(abuse)
        }
    }

    /// Tells those who watch the daemon's health that it ends. Send this before the drain begins,
    /// so that a balancer hears of it before its connection is asked to go.
    package func endWatches() {
        session.forEachStream { stream in (stream.handler as? Call)?.endLasting(on: stream) }
    }

    /// Begins a graceful end in two steps, so that no request in flight is refused (gRFC A9).
    package func beginDrain(nowNs: UInt64) {
        guard drain == .none else { return }
        drain = .announced(deadlineNs: nowNs + ServerConnection.drainPingNsMax)
        session.submitShutdownNotice()
        session.submitPing(ServerConnection.drainPing)
    }

    private func announcementAcknowledged() {
        guard case .announced(let deadlineNs) = drain else { return }
        let settledNs = Clock.monotonicNs + ServerConnection.drainSettleNs
        drain = .announced(deadlineNs: min(deadlineNs, settledNs))
    }

    private func finishAnnouncement() {
        guard case .announced = drain else { return }
        drain = .final
        session.submitGoAway(retirementText)
    }

    /// True once the drain is through: nothing is served any more and nothing will be.
    package var isDrained: Bool { isCut || drain == .final && session.openStreamCount == 0 }

    var isMemoryShort: Bool {
        budget.inUseBytes > budget.limitBytes / 100 * settings.memoryShortPercent
    }

    /// How long a call is told to wait.
    var retryAfterMs: Int { retryHint() }

    var overBudget: Outcome {
        .retry(afterMs: retryHint(), message: "no memory is free for this request now")
    }
}

extension ConnectionLife.Retirement {
    fileprivate var counter: Counter {
        switch self {
        case .age: .connectionsRetiredByAge
        case .idle: .connectionsRetiredIdle
        }
    }

    /// As gRPC's own servers say it.
    fileprivate var debugText: StaticString {
        switch self {
        case .age: "max_age"
        case .idle: "max_idle"
        }
    }
}
