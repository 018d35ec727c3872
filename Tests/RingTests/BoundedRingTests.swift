// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import Ring
import Testing

/// A ledger whose settlements the test can look at.
private final class Recorder: Sendable {
    let ledger = AckLedger {}

    var settlements: [AckLedger.Settlement] {
        var list: [AckLedger.Settlement] = []
        ledger.collect(into: &list)
        return list
    }
}

/// An export of `itemCount` empty spans.
private func makeExport(itemCount: Int, budget: MemoryBudget) throws -> Export {
    func framed(_ field: UInt8, _ body: [UInt8]) -> [UInt8] {
        precondition(body.count < 128)
        return [field << 3 | 2, UInt8(body.count)] + body
    }
    let spans = (0..<itemCount).flatMap { _ in framed(2, []) }
    let request = framed(1, framed(2, spans))
    var body = OwnedBytes(budget: budget)
    unsafe request.withUnsafeBytes { bytes in
        _ = body.append(unsafe ByteSlice(bytes), limitBytes: 1 << 20)
    }
    return try Decoder.decode(
        signal: .traces, body: body.slice, limits: DecodeLimits(requestSizeBytesMax: 1 << 20),
        budget: budget)
}

private func makePending(
    _ streamID: Int32, itemCount: Int = 1, ledger: AckLedger, budget: MemoryBudget,
    charge: QuotaCharge? = nil
) throws -> PendingExport {
    PendingExport(
        export: try makeExport(itemCount: itemCount, budget: budget),
        fingerprint: Fingerprint(high: 0, low: UInt64(streamID)),
        ticket: ledger.open(AckAddress(connectionID: 1, streamID: streamID)),
        cancellation: Cancellation(), deadlineNs: .max, arrivalUnixNs: 0, charge: charge)
}

/// Pushes, and drops what comes back; true when it came back.
private func push(_ pending: consuming PendingExport, to ring: BoundedRing) -> Bool {
    ring.tryPush(pending) != nil
}

@Suite struct BoundedRingTests {
    let budget = MemoryBudget(limitBytes: 1 << 24)

    @Test func takesInOrderUpToTheItemLimitButAtLeastOne() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 8)
        for (stream, items) in [(1, 5), (2, 3), (3, 3), (4, 20)] {
            let isRefused = push(
                try makePending(
                    Int32(stream), itemCount: items, ledger: recorder.ledger, budget: budget),
                to: ring)
            #expect(!isRefused)
        }
        #expect(ring.depth.exportCount == 4 && ring.depth.itemCount == 31)
        var streams: [[Int32]] = []
        var batch = ExportBatch(exportCountMax: 8)
        for _ in 0..<3 {
            #expect(ring.take(into: &batch, itemCountMax: 8))
            streams.append(
                (0..<batch.count).map { batch.withExport($0) { $0.ticket.address.streamID } })
            batch.settleFirst(batch.count) { _, _ in .accepted }
        }
        #expect(streams == [[1, 2], [3], [4]])
        #expect(recorder.settlements.map(\.address.streamID) == [1, 2, 3, 4])
        #expect(recorder.ledger.openTicketCount == 0)
    }

    // Goal: who is to send an export again has not paid for it. Method: a quota that one export
    // uses up, and every outcome.
    @Test(
        arguments: [
            (.accepted, false), (.partial(rejectedItemCount: 1, message: ""), false),
            (.retry(afterMs: 1, message: ""), true), (.refused(Refusal(.tooLarge, "")), false),
            (.expired, false),
        ] as [(Outcome, Bool)])
    func whatIsToBeSentAgainIsNotCharged(outcome: Outcome, isGivenBack: Bool) throws {
        let quota = TokenQuota(itemsPerSecond: 1, bytesPerSecond: 1)
        let charge = QuotaCharge(quota, itemCount: 5, sizeBytes: 5)
        let nowNs = Clock.monotonicNs
        #expect(charge.take(nowNs: nowNs) == nil && charge.take(nowNs: nowNs) != nil)
        try makePending(1, ledger: AckLedger {}, budget: budget, charge: charge).settle(outcome)
        #expect((quota.waitNs(nowNs: nowNs) == nil) == isGivenBack)
    }

    // Goal: who waits hears when nothing comes, and still gets what is there. Method: a deadline
    // that has passed, on a ring that is empty, filled, closed.
    @Test func waitingEndsWithoutWork() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 4)
        var batch = ExportBatch(exportCountMax: 4)
        let isOpen = ring.take(into: &batch, itemCountMax: 8, idleDeadlineNs: 0)
        #expect(isOpen && batch.isEmpty)
        _ = push(try makePending(1, ledger: recorder.ledger, budget: budget), to: ring)
        let isTaken = ring.take(into: &batch, itemCountMax: 8, idleDeadlineNs: 0)
        #expect(isTaken && batch.count == 1)
        batch.settleFirst(1) { _, _ in .accepted }
        ring.close()
        let isStillOpen = ring.take(into: &batch, itemCountMax: 8, idleDeadlineNs: 0)
        #expect(!isStillOpen)
    }

    // Goal: what is named leaves, the rest keeps its order, and the ring goes on working around its
    // end. Method: every subset of five exports, from every position of the ring.
    @Test(arguments: 0..<32)
    func takesOutWhatIsNamed(subset: Int) throws {
        for startIndex in 0..<5 {
            let recorder = Recorder()
            let ring = BoundedRing(slotCountMax: 5)
            var batch = ExportBatch(exportCountMax: 5)
            for _ in 0..<startIndex {
                _ = push(try makePending(0, ledger: recorder.ledger, budget: budget), to: ring)
                _ = ring.take(into: &batch, itemCountMax: 1)
                batch.settleFirst(1) { _, _ in .accepted }
            }
            for stream in 0..<5 {
                _ = push(
                    try makePending(
                        Int32(stream), itemCount: stream + 1, ledger: recorder.ledger,
                        budget: budget),
                    to: ring)
            }
            ring.take(into: &batch) { subset >> Int($0.ticket.address.streamID) & 1 == 1 }
            let streams = (0..<batch.count).map {
                batch.withExport($0) { $0.ticket.address.streamID }
            }
            #expect(streams == (0..<5).filter { subset >> $0 & 1 == 1 }.map(Int32.init))
            batch.settleFirst(batch.count) { _, _ in .expired }
            let kept = (0..<5).filter { subset >> $0 & 1 == 0 }
            #expect(ring.depth.exportCount == kept.count)
            #expect(ring.depth.itemCount == kept.reduce(0) { $0 + $1 + 1 })
            var isRefused = false
            for _ in kept.count..<5 where !isRefused {
                isRefused = push(
                    try makePending(9, ledger: recorder.ledger, budget: budget), to: ring)
            }
            #expect(!isRefused)
            _ = ring.take(into: &batch, itemCountMax: .max)
            let rest = (0..<batch.count).map { batch.withExport($0) { $0.ticket.address.streamID } }
            #expect(rest == kept.map(Int32.init) + Array(repeating: 9, count: 5 - kept.count))
        }
    }

    @Test func takesOutNoMoreThanFits() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 4)
        for stream in 0..<4 {
            _ = push(
                try makePending(Int32(stream), ledger: recorder.ledger, budget: budget), to: ring)
        }
        var batch = ExportBatch(exportCountMax: 3)
        ring.take(into: &batch) { _ in true }
        #expect(batch.count == 3 && ring.depth.exportCount == 1)
    }

    @Test func aFullRingHandsTheExportBack() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 2)
        for stream in 1...2 {
            let isRefused = push(
                try makePending(Int32(stream), ledger: recorder.ledger, budget: budget), to: ring)
            #expect(!isRefused)
        }
        if let refused = ring.tryPush(
            try makePending(3, ledger: recorder.ledger, budget: budget))
        {
            refused.settle(.retry(afterMs: 1, message: "full"))
        } else {
            Issue.record("the third export went into a ring of two slots")
        }
        #expect(
            recorder.settlements.map(\.outcome) == [.retry(afterMs: 1, message: "full")])
    }

    @Test func aClosedRingIsEmptiedAndThenEnds() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 2)
        _ = ring.tryPush(try makePending(1, ledger: recorder.ledger, budget: budget))
        ring.close()
        #expect(push(try makePending(2, ledger: recorder.ledger, budget: budget), to: ring))
        var batch = ExportBatch(exportCountMax: 4)
        #expect(ring.take(into: &batch, itemCountMax: 10))
        #expect(batch.count == 1)
        batch.settleFirst(batch.count) { _, _ in .accepted }
        #expect(!ring.take(into: &batch, itemCountMax: 10))
    }

    @Test func aDroppedExportTellsItsClientToRetry() throws {
        let recorder = Recorder()
        do {
            let ring = BoundedRing(slotCountMax: 2)
            _ = ring.tryPush(try makePending(1, ledger: recorder.ledger, budget: budget))
            _ = try makePending(2, ledger: recorder.ledger, budget: budget)
        }
        let settlements = recorder.settlements
        #expect(Set(settlements.map(\.address.streamID)) == [1, 2])
        for settlement in settlements {
            guard case .retry = settlement.outcome else {
                Issue.record("\(settlement.outcome) is no retry")
                continue
            }
        }
        #expect(budget.inUseBytes == 0)
    }

    @Test func settlingSomeKeepsTheOrderOfTheRest() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 8)
        for stream in 1...5 {
            _ = ring.tryPush(
                try makePending(Int32(stream), ledger: recorder.ledger, budget: budget))
        }
        var batch = ExportBatch(exportCountMax: 8)
        #expect(ring.take(into: &batch, itemCountMax: 100))
        batch.settleSome { $0.ticket.address.streamID.isMultiple(of: 2) ? .expired : nil }
        #expect(batch.count == 3 && batch.itemCount == 3)
        let rest = (0..<batch.count).map { batch.withExport($0) { $0.ticket.address.streamID } }
        #expect(rest == [1, 3, 5])
        batch.settleFirst(batch.count) { _, _ in .accepted }
        #expect(recorder.settlements.map(\.address.streamID) == [2, 4, 1, 3, 5])
    }

    @Test func settlingTheFirstMovesTheOthersUp() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 8)
        for stream in 1...5 {
            _ = push(
                try makePending(Int32(stream), ledger: recorder.ledger, budget: budget), to: ring)
        }
        var batch = ExportBatch(exportCountMax: 8)
        let isTaken = ring.take(into: &batch, itemCountMax: 100)
        #expect(isTaken)
        batch.settleFirst(2) { index, _ in index == 0 ? .accepted : .expired }
        #expect(batch.count == 3 && batch.itemCount == 3)
        batch.settleFirst(batch.count) { _, _ in .accepted }
        let settlements = recorder.settlements
        #expect(settlements.map(\.address.streamID) == [1, 2, 3, 4, 5])
        #expect(settlements[1].outcome == .expired)
        #expect(batch.isEmpty && batch.itemCount == 0)
    }

    @Test func manyProducersAndConsumersLoseNothing() throws {
        let recorder = Recorder()
        let ring = BoundedRing(slotCountMax: 16)
        let budget = budget
        let perProducer = 500
        let producers = (0..<4).map { producer in
            WorkerThread(name: "producer") {
                for index in 0..<perProducer {
                    guard
                        var pending = try? makePending(
                            Int32(producer * perProducer + index), ledger: recorder.ledger,
                            budget: budget)
                    else {
                        Issue.record("the export could not be made")
                        return
                    }
                    while let refused = ring.tryPush(pending) { pending = refused }
                }
            }
        }
        let consumers = (0..<3).map { _ in
            WorkerThread(name: "consumer") {
                var batch = ExportBatch(exportCountMax: 8)
                while ring.take(into: &batch, itemCountMax: 5) {
                    batch.settleFirst(batch.count) { _, _ in .accepted }
                }
            }
        }
        for producer in producers { producer.join() }
        ring.close()
        for consumer in consumers { consumer.join() }
        let settlements = recorder.settlements
        #expect(settlements.count == 4 * perProducer)
        #expect(Set(settlements.map(\.address.streamID)).count == 4 * perProducer)
        #expect(settlements.allSatisfy { $0.outcome == .accepted })
        #expect(budget.inUseBytes == 0)
    }
}
