// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Logging
internal import Postgres
internal import Ring
internal import Spool

/// Where exports go that the database cannot take: what the writers, the spooler and the replayer
/// have in common.
///
/// Thread: any.
final class OutageStore: Sendable {
    let breaker: CircuitBreaker
    /// Nil where `spool.directory` is empty: then batches stay in hand.
    let spool: Spool?
    /// The spool's name, as notes have it.
    let spoolID: [UInt8]
    private let counters: Counters
    private let logger: Logger

    init(spool: Spool?, counters: Counters, logger: Logger) {
        self.spool = spool
        self.counters = counters
        self.logger = logger
        spoolID = spool?.id.bytes ?? []
        breaker = CircuitBreaker(nowNs: Clock.monotonicNs)
    }

    /// What a transaction notes of `pending`.
    func note(of pending: borrowing PendingExport) -> ExportNote {
        guard let number = pending.spoolNumber else { return ExportNote(pending.fingerprint) }
        #if DEBUG
        if TestBreak.isOn(.noSpoolMarks) {
            return ExportNote(
                Fingerprint(high: .random(in: .min ... .max), low: .random(in: .min ... .max)))
        }
        #endif
        return ExportNote(
            pending.fingerprint,
            place: SpoolPlace(
                spoolID: spoolID, recordNumber: number, arrivalUnixNs: pending.arrivalUnixNs))
    }

    // MARK: What writers saw

    func succeeded() {
        guard breaker.succeeded(nowNs: Clock.monotonicNs) else { return }
        logger.notice("the outage is over")
    }

    /// An attempt came to nothing, and not because of an outage.
    func undecided() { breaker.undecided(nowNs: Clock.monotonicNs) }

    func failed(_ error: DatabaseError) {
        guard breaker.failed("\(error)", nowNs: Clock.monotonicNs) else { return }
        counters.add(.breakerOpened)
        logger.warning(
            "an outage begins",
            metadata: [
                "error": "\(error)",
                "until_it_ends": spool == nil
                    ? "clients wait, then are told to come back" : "exports go to the spool",
            ])
    }

    // MARK: Spooling

    /// In an outage, takes what came from clients to the spool, and hands back what came from
    /// there, unless it is the attempt that is due. What is left in `batch` is to be stored.
    func divert(_ batch: inout ExportBatch) {
        guard spool != nil, !breaker.isClosed, !batch.isEmpty else { return }
        keep(&batch)
        guard !batch.isEmpty, !breaker.mayTry(nowNs: Clock.monotonicNs) else { return }
        batch.settleSome { pending in
            pending.spoolNumber == nil
                ? nil : .retry(afterMs: Limits.retryAfterMsMin, message: "an outage")
        }
    }

    /// Takes those of `batch` that came from clients to the spool, and acknowledges them. What the
    /// spool does not take stays in `batch`.
    func keep(_ batch: inout ExportBatch) {
        guard let spool else { return }
        #if DEBUG
        if TestBreak.isOn(.dropSpooled) { return batch.acknowledgeClients() }
        #endif
        var indices: [Int] = []
        for index in 0..<batch.count {
            let isClients = batch.withExport(index) { $0.spoolNumber == nil }
            if isClients { indices.append(index) }
        }
        guard !indices.isEmpty else { return }
        let result = append(indices, of: batch, to: spool)
        counters.add(.exportsSpooled, result.count)
        counters.add(.spoolBytesWritten, result.sizeBytes)
        if let error = result.error {
            counters.add(.spoolRefusals, indices.count - result.count)
            logger.warning("the spool does not take everything", metadata: ["error": "\(error)"])
        }
        var seenCount = 0
        batch.settleSome { pending in
            guard pending.spoolNumber == nil, seenCount < result.count else { return nil }
            seenCount += 1
            counters.add(pending.export.signal.spooledCounter, pending.export.itemCount)
            return .accepted
        }
        #if DEBUG
        if TestBreak.isOn(.ackWhenSpoolFull) { batch.acknowledgeClients() }
        #endif
    }

    private func append(
        _ indices: [Int], of batch: borrowing ExportBatch, to spool: Spool
    ) -> (count: Int, sizeBytes: Int, error: SpoolError?) {
        spool.append(count: indices.count) { index in
            batch.withExport(indices[index]) { pending in
                SpoolRecord(
                    signal: pending.export.signal, fingerprint: pending.fingerprint,
                    arrivalUnixNs: pending.arrivalUnixNs, itemCount: pending.export.itemCount,
                    bodySizeBytes: pending.export.packedSizeBytes)
            }
        } body: { index, sink in
            batch.withExport(indices[index]) { $0.export.pack(sink.add) }
        }
    }
}

#if DEBUG
extension ExportBatch {
    /// What the breaks of the promise have in common.
    fileprivate mutating func acknowledgeClients() {
        settleSome { $0.spoolNumber == nil ? .accepted : nil }
    }
}
#endif
