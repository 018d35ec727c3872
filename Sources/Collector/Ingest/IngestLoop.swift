// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import GRPC
internal import HTTP2
internal import Ring
internal import Rows
internal import Socket
internal import Synchronization
internal import TLS

/// What all ingest loops have in common.
struct IngestShared: Sendable {
    let admission: Admission
    let budget: MemoryBudget
    let counters: Counters
    let retryHint: RetryHint
    let health: HealthStatus
    let tokens: TokenCache
    let http2: HTTP2Settings
    let grpc: GRPCSettings
    let times: ConnectionTimes
    let places: ConnectionAdmission
    let proxyGate: ProxyGate
    let log: ConnectionLog
}

/// What other threads may ask of a loop, and see of it.
final class IngestLoopControl: Sendable {
    enum Stage: Int { case serving, draining, stopping }

    private let stageValue = Atomic<Int>(Stage.serving.rawValue)
    private let lastTickValue = Atomic<UInt64>(0)
    private let isEmptyValue = Atomic<Bool>(false)

    var stage: Stage {
        guard let stage = Stage(rawValue: stageValue.load(ordering: .acquiring)) else {
            preconditionFailure("only stages are stored")
        }
        return stage
    }

    func advance(to stage: Stage) { stageValue.store(stage.rawValue, ordering: .releasing) }

    /// Monotonic time at which the loop last ticked: its sign of life.
    var lastTickNs: UInt64 {
        get { lastTickValue.load(ordering: .relaxed) }
        set { lastTickValue.store(newValue, ordering: .relaxed) }
    }

    /// True when a draining loop has no connection left.
    var isEmpty: Bool {
        get { isEmptyValue.load(ordering: .acquiring) }
        set { isEmptyValue.store(newValue, ordering: .releasing) }
    }
}

/// One event loop that serves OTLP/gRPC, with its connections and its ack ledger.
///
/// Thread: made anywhere, then confined to the thread that runs it; `control` and `ledger` are
/// shared.
final class IngestLoop: EventLoopClient {
    let shared: IngestShared
    let ledger: AckLedger
    let control = IngestLoopControl()
    let ackLatency = AckLatency()
    let wakeup: Wakeup
    private let loop: EventLoop
    private var connections: [UInt64: IngestConnection] = [:]
    private var nextConnectionID: UInt64 = 0
    private var settlements: [AckLedger.Settlement] = []
    private var isDraining = false
    /// For the fingerprints of what its connections receive.
    var digest = ExportDigest()

    init(
        shared: IngestShared, listener: consuming Listener, acceptor: TLSAcceptor?
    ) throws(SystemError) {
        self.shared = shared
        loop = try EventLoop()
        let wakeup = loop.wakeup
        self.wakeup = wakeup
        ledger = AckLedger { wakeup.signal() }
        try loop.listen(
            listener, acceptor: acceptor, expectsProxyHeader: shared.proxyGate.isExpected)
        loop.client = self
    }

    /// Serves until the control says stop.
    func run() { loop.run() }

    func forget(_ connection: IngestConnection, failure: ConnectionFailure?) {
        connections[connection.id] = nil
        shared.places.leave(connection.admittedSource)
        shared.counters.add(.connectionsClosed)
        switch failure {
        case nil: break
        case .writeStalled?: shared.counters.add(.abortedForStalledWrites)
        case .proxyHeader(let fault)?: shared.proxyGate.refused(fault)
        }
    }

    /// Whether its source may have one connection more.
    func admits(_ peer: PeerAddress) -> Bool {
        if shared.places.tryEnter(peer) { return true }
        shared.counters.add(.connectionsRefusedByAddress)
        shared.log.tooMany(from: peer)
        return false
    }

    // MARK: EventLoopClient

    func accepted(by loop: EventLoop, from peer: PeerAddress) -> (any ConnectionHandler)? {
        guard shared.proxyGate.admits(peer) else { return nil }
        guard shared.places.tryEnter() else {
            shared.counters.add(.connectionsRefused)
            shared.log.tooMany()
            return nil
        }
        shared.counters.add(.connectionsAccepted)
        nextConnectionID += 1
        let retryHint = shared.retryHint
        let server = ServerConnection(
            http2: shared.http2, settings: shared.grpc, times: shared.times, budget: shared.budget,
            counters: shared.counters, health: shared.health, ackLatency: ackLatency,
            authenticator: shared.tokens, retryHint: { retryHint.delayMs })
        let connection = IngestConnection(id: nextConnectionID, server: server, loop: self)
        connections[connection.id] = connection
        return connection
    }

    func acceptingFailed(_ error: SystemError) {
        shared.counters.add(.acceptFailures)
        shared.log.acceptingFailed(error)
    }

    func turn(of loop: EventLoop) {
        answerSettled()
        switch control.stage {
        case .serving: break
        case .draining: drain()
        case .stopping: loop.stop()
        }
    }

    func tick(nowNs: UInt64, of loop: EventLoop) { control.lastTickNs = nowNs }

    // MARK: The turn's parts

    private func answerSettled() {
        ledger.collect(into: &settlements)
        for settlement in settlements {
            shared.counters.addAnswered(settlement.items, settlement.outcome, over: .grpc)
            guard let connection = connections[settlement.address.connectionID] else {
                shared.counters.add(.answersWithoutStream)
                continue
            }
            connection.answer(
                streamID: settlement.address.streamID, with: settlement.outcome)
            if let socket = connection.connection { loop.markDirty(socket) }
        }
    }

    private func drain() {
        if !isDraining {
            isDraining = true
            loop.stopListening()
            let nowNs = Clock.monotonicNs
            for connection in connections.values { connection.beginDrain(nowNs: nowNs) }
            // Who has not said who it is, or finished its handshake, is waiting for nothing.
            loop.forEachConnection { if !$0.isEstablished { $0.abort() } }
        }
        control.isEmpty = loop.connectionCount == 0
    }
}
