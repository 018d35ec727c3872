// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Postgres
internal import Ring
internal import Synchronization

/// What became of items that no transaction speaks of: refused, or committed by an earlier attempt.
/// The one place that counts them, for the ledger and in `Counters`.
///
/// The janitor writes the notes to the loss ledger, several times a minute, and the daemon when it
/// ends. What is noted and not written when a daemon is killed is missing on both sides of the
/// balance. Thread: any.
final class LossNotes: Sendable {
    /// Rows beyond which tenants are no longer told apart.
    private static let keyCountMax = 4_096

    /// Names this run of the daemon.
    let instance: String
    private let tenantAttribute: String
    private let counters: Counters
    private let notes = Mutex<[LossKey: LossCounts]>([:])
    /// What a flush began to write, until the server has said that it is there.
    private let unwritten = Mutex<LossEntries?>(nil)
    private let batchCount = Atomic<Int>(0)

    init(tenantAttribute: String, counters: Counters) {
        self.tenantAttribute = tenantAttribute
        self.counters = counters
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        instance = String(repeating: "0", count: 16 - digits.count) + digits
    }

    var isEmpty: Bool { unwritten.withLock { $0 == nil } && notes.withLock { $0.isEmpty } }

    /// The client is told to come back, or not to. What comes from the spool stays there.
    func refused(_ pending: borrowing PendingExport) {
        guard pending.spoolNumber == nil else { return }
        refusedForGood(pending)
    }

    /// Nobody will send or read it again: what comes from the spool is lost.
    func refusedForGood(_ pending: borrowing PendingExport) {
        settled(pending)
        refused(pending.export, arrivalUnixNs: pending.arrivalUnixNs)
    }

    /// An export that was never queued.
    func refused(_ export: borrowing Export, arrivalUnixNs: UInt64) {
        counters.add(export.signal.refusedCounter, export.itemCount)
        note(export, arrivalUnixNs: arrivalUnixNs) { $0.refused = $0.received }
    }

    /// What comes from the spool was received by this life of the daemon or by an earlier one.
    func settled(_ pending: borrowing PendingExport) {
        guard pending.spoolNumber != nil else { return }
        counters.add(pending.export.signal.replayedCounter, pending.export.itemCount)
    }

    func deduplicated(_ pending: borrowing PendingExport) {
        settled(pending)
        counters.add(.exportsDeduplicated)
        counters.add(pending.export.signal.deduplicatedCounter, pending.export.itemCount)
        note(pending.export, arrivalUnixNs: pending.arrivalUnixNs) { $0.deduplicated = $0.received }
    }

    private func note(
        _ export: borrowing Export, arrivalUnixNs: UInt64, _ fate: (inout LossCounts) -> Void
    ) {
        let signal = export.signal
        ResourceShare.forEach(of: export, tenantAttribute: tenantAttribute) { share in
            var counts = LossCounts()
            counts.received = Int64(share.ordinals.count)
            fate(&counts)
            add(
                LossKey(arrivalUnixNs: arrivalUnixNs, signal: signal, tenant: share.tenant),
                counts)
        }
    }

    func add(_ key: LossKey, _ counts: LossCounts) {
        notes.withLock { notes in
            let isKnown = notes[key] != nil || notes.count < LossNotes.keyCountMax
            let other = LossKey(minute: key.minute, signal: key.signal, tenant: TenantName.other)
            notes[isKnown ? key : other, default: LossCounts()].add(counts)
        }
    }

    /// Writes all notes.
    ///
    /// What is written has a source of its own, so that it counts once however often it has to be
    /// written because nobody knows whether the server has it. Thread: one at a time.
    func flush(on connection: inout PGConnection, deadlineNs: UInt64) throws(DatabaseError) {
        // What was left over, and what came since; more would never end in an overload.
        for _ in 0..<2 {
            guard let entries = nextEntries() else { return }
            try connection.write(entries, deadlineNs: deadlineNs)
            unwritten.withLock { $0 = nil }
        }
    }

    /// What could not be written the last time, or else all notes; nil without any.
    private func nextEntries() -> LossEntries? {
        unwritten.withLock { unwritten in
            if let unwritten { return unwritten }
            let counts = notes.withLock { notes in
                defer { notes = [:] }
                return notes
            }
            guard !counts.isEmpty else { return nil }
            let number = batchCount.add(1, ordering: .relaxed).newValue
            let entries = LossEntries(onlyOf: "\(instance)/notes-\(number)", counts: counts)
            unwritten = entries
            return entries
        }
    }
}
