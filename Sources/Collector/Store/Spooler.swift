// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Postgres
internal import Ring
internal import Spool

/// The thread that takes exports from the ring to the spool, where the writers do not.
///
/// With `durability.ack: commit` or `buffer`, that is what has waited for too long: the database
/// hangs, or is slower than the clients. With `spool` it is everything, out of a ring of its own.
/// Thread: `run` is the thread.
final class Spooler: Sendable {
    private let ring: BoundedRing
    private let store: OutageStore
    private let retryHint: RetryHint
    private let losses: LossNotes
    private let stop: StopSignal
    private let itemCountMax: Int
    private let isForAll: Bool

    /// How long an export may wait for a writer, and how much of its deadline must be left.
    private static let waitNsMax: UInt64 = 2_000_000_000
    private static let leftNsMin: UInt64 = 1_000_000_000
    private static let turnMs = 100

    init(
        ring: BoundedRing, store: OutageStore, retryHint: RetryHint, losses: LossNotes,
        stop: StopSignal, itemCountMax: Int, isForAll: Bool
    ) {
        self.ring = ring
        self.store = store
        self.retryHint = retryHint
        self.losses = losses
        self.stop = stop
        self.itemCountMax = itemCountMax
        self.isForAll = isForAll
    }

    /// Works until the ring is closed and empty, or until the daemon stops where the writers empty
    /// it.
    func run() {
        var batch = ExportBatch(exportCountMax: WriterSettings.exportCountMax)
        if isForAll {
            while ring.take(into: &batch, itemCountMax: itemCountMax) { spool(&batch) }
            return
        }
        repeat {
            while isSpoolReady,
                ring.takeDue(into: &batch, itemCountMax: itemCountMax, isDue)
            {
                spool(&batch)
            }
        } while !stop.wait(delayMs: Spooler.turnMs)
    }

    /// A spool that takes nothing leaves everything to the writers, as if there were none.
    private var isSpoolReady: Bool { store.spool?.isReady ?? false }

    private func isDue(_ pending: borrowing PendingExport, _ exportCount: Int) -> Bool {
        guard store.breaker.isClosed else { return true }
        let nowNs = Clock.monotonicNs
        let waitedNs = Clock.unixNs - min(Clock.unixNs, pending.arrivalUnixNs)
        guard pending.spoolNumber == nil else { return false }
        if waitedNs >= Spooler.waitNsMax { return true }
        if pending.deadlineNs < nowNs + Spooler.leftNsMin { return true }
        return exportCount >= ring.slotCountMax / 4 * 3
            && store.breaker.silenceNs(nowNs: nowNs) >= Spooler.leftNsMin
    }

    private func spool(_ batch: inout ExportBatch) {
        store.keep(&batch)
        let afterMs = retryHint.delayMs
        batch.settleFirst(batch.count) { _, pending in
            losses.refused(pending)
            return .retry(afterMs: afterMs, message: "neither the database nor the spool takes it")
        }
    }
}
