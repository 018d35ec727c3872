// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Ring
internal import Rows
internal import Synchronization

/// Takes what arrives over OTLP/HTTP: the same way into the ring as gRPC's, the same outcomes back.
///
/// Thread: any, lanes as `ExportReceiver` says.
final class HTTPIntake: ExportReceiver {
    let budget: MemoryBudget
    let counters: Counters
    let authenticator: any Authenticator
    private let admission: Admission
    private let retryHint: RetryHint
    private let places: ConnectionAdmission
    private let proxyGate: ProxyGate
    let log: ConnectionLog
    private let lanes: [Lane]
    private let waiting: Waiting
    private let ledger: AckLedger

    typealias Reply = @Sendable (Outcome) -> Void

    /// What one thread of the server has for itself.
    private final class Lane: @unchecked Sendable {
        let ackLatency = AckLatency()
        let control = IngestLoopControl()
        /// Used by the thread of the lane only.
        var digest = ExportDigest()
    }

    /// The requests whose outcome has not come, by number.
    private final class Waiting: Sendable {
        private let replies = Mutex<(next: UInt64, byNumber: [UInt64: Reply])>((0, [:]))

        func add(_ reply: @escaping Reply) -> UInt64 {
            replies.withLock { state in
                state.next += 1
                state.byNumber[state.next] = reply
                return state.next
            }
        }

        func remove(_ number: UInt64) -> Reply? {
            replies.withLock { $0.byNumber.removeValue(forKey: number) }
        }
    }

    /// `proxyGate` is that of `listen.http`.
    init(_ shared: IngestShared, _ server: Configuration.Server, proxyGate: ProxyGate) {
        self.proxyGate = proxyGate
        admission = shared.admission
        budget = shared.budget
        counters = shared.counters
        authenticator = shared.tokens
        retryHint = shared.retryHint
        places = shared.places
        log = shared.log
        lanes = (0..<max(1, server.loopCount)).map { _ in Lane() }
        let waiting = Waiting()
        self.waiting = waiting
        let counters = self.counters
        ledger = AckLedger { settlement in
            counters.addAnswered(settlement.items, settlement.outcome, over: .http)
            waiting.remove(settlement.address.connectionID)?(settlement.outcome)
        }
    }

    /// One for each lane.
    var ackLatencies: [AckLatency] { lanes.map(\.ackLatency) }

    /// The signs of life of all lanes.
    var controls: [IngestLoopControl] { lanes.map(\.control) }

    // MARK: ExportReceiver

    var laneCount: Int { lanes.count }

    var retryDelayMs: Int { retryHint.delayMs }

    var expectsProxyHeader: Bool { proxyGate.isExpected }

    func admitsProxy(_ peer: PeerAddress) -> Bool { proxyGate.admits(peer) }

    func proxyHeaderRefused(_ fault: ProxyHeaderFault) { proxyGate.refused(fault) }

    func connectionOpened(from peer: PeerAddress) -> Bool {
        guard places.tryEnter() else {
            counters.add(.connectionsRefused)
            log.tooMany()
            return false
        }
        guard places.tryEnter(peer) else {
            places.leave(nil)
            counters.add(.connectionsRefusedByAddress)
            log.tooMany(from: peer)
            return false
        }
        counters.add(.connectionsAccepted)
        return true
    }

    func connectionClosed(from peer: PeerAddress) {
        places.leave(peer.kind == .ip ? peer.source : nil)
        counters.add(.connectionsClosed)
    }

    func receive(
        _ message: consuming ExportMessage, lane: Int, allowance: WorkAllowance,
        cancellation: Cancellation, reply: @escaping Reply
    ) {
        let number = waiting.add(reply)
        let outcome = admission.take(
            message, allowance: allowance, digest: &lanes[lane].digest,
            ticket: { ledger.open(AckAddress(connectionID: number, streamID: 0)) },
            cancellation: { cancellation })
        if let outcome { waiting.remove(number)?(outcome) }
    }

    func turned(lane: Int) { lanes[lane].control.lastTickNs = Clock.monotonicNs }

    func acknowledged(_ signal: Signal, afterNs: UInt64, lane: Int) {
        lanes[lane].ackLatency[signal].record(afterNs)
    }
}
