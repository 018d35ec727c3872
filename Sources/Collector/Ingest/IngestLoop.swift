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
    let connectionCountMax: Int
    let connectionCount: ConnectionCount
}

/// Connections open on all loops together.
final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }

    func tryAdd(max: Int) -> Bool {
        guard count.add(1, ordering: .relaxed).newValue <= max else {
            count.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }
    func subtract() { count.subtract(1, ordering: .relaxed) }
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
        try loop.listen(listener, acceptor: acceptor)
        loop.client = self
    }

    /// Serves until the control says stop.
    func run() { loop.run() }

    func forget(_ connection: IngestConnection) {
        connections[connection.id] = nil
        shared.connectionCount.subtract()
        shared.counters.add(.connectionsClosed)
    }

    // MARK: EventLoopClient

    func accepted(by loop: EventLoop) -> (any ConnectionHandler)? {
        guard shared.connectionCount.tryAdd(max: shared.connectionCountMax) else {
            shared.counters.add(.connectionsRefused)
            return nil
        }
        shared.counters.add(.connectionsAccepted)
        nextConnectionID += 1
        let retryHint = shared.retryHint
        let server = ServerConnection(
            http2: shared.http2, settings: shared.grpc, budget: shared.budget,
            counters: shared.counters, health: shared.health, ackLatency: ackLatency,
            authenticator: shared.tokens, retryHint: { retryHint.delayMs })
        let connection = IngestConnection(id: nextConnectionID, server: server, loop: self)
        connections[connection.id] = connection
        return connection
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
            // Who has not even finished its handshake is waiting for nothing.
            loop.forEachConnection { if !$0.isEstablished { $0.abort() } }
        }
        control.isEmpty = loop.connectionCount == 0
    }
}
