// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Synchronization

/// The queue between the loops that decode and the writers that store: bounded, many to many.
///
/// Exports are moved in and out, never copied. The bound in slots is its own; the bound in bytes is
/// the memory budget, which every export holds a share of.
/// Thread: any. Never blocks a producer.
@safe
package final class BoundedRing: @unchecked Sendable {
    private let monitor = Monitor()
    private let slots: UnsafeMutablePointer<PendingExport>
    package let slotCountMax: Int
    // Protected by `monitor`.
    private var headIndex = 0
    private var count = 0
    private var itemCount = 0
    private var isClosed = false
    // Copies of the counts, for those who only want to know.
    private let shownCount = Atomic<Int>(0)
    private let shownItemCount = Atomic<Int>(0)

    package init(slotCountMax: Int) {
        precondition(slotCountMax > 0)
        self.slotCountMax = slotCountMax
        unsafe slots = .allocate(capacity: slotCountMax)
    }

    deinit {
        for offset in 0..<count {
            unsafe (slots + (headIndex + offset) % slotCountMax).deinitialize(count: 1)
        }
        unsafe slots.deallocate()
    }

    /// Exports and items that wait now. Takes no lock; the two may be a moment apart.
    package var depth: (exportCount: Int, itemCount: Int) {
        (shownCount.load(ordering: .relaxed), shownItemCount.load(ordering: .relaxed))
    }

    private func showDepth() {
        shownCount.store(count, ordering: .relaxed)
        shownItemCount.store(itemCount, ordering: .relaxed)
    }

    /// Moves `pending` in, or hands it back when the ring is full or closed. O(1).
    package func tryPush(_ pending: consuming PendingExport) -> PendingExport? {
        monitor.lock()
        defer { monitor.unlock() }
        guard count < slotCountMax, !isClosed else { return pending }
        itemCount += pending.export.itemCount
        unsafe (slots + (headIndex + count) % slotCountMax).initialize(to: pending)
        count += 1
        showDepth()
        monitor.signal()
        return nil
    }

    /// Moves what waits, up to `itemCountMax` items but at least one export, to the end of `batch`.
    ///
    /// Blocks until there is something. A writer that comes back from a commit takes all that
    /// arrived meanwhile, which makes every commit a group commit without any delay being
    /// configured. Returns false, with an empty batch, once the ring is closed and empty; true,
    /// with an empty batch, when nothing has come until `idleDeadlineNs` on the monotonic clock.
    package func take(
        into batch: inout ExportBatch, itemCountMax: Int, idleDeadlineNs: UInt64? = nil
    ) -> Bool {
        precondition(batch.isEmpty)
        monitor.lock()
        defer { monitor.unlock() }
        while count == 0 {
            if isClosed { return false }
            if let idleDeadlineNs {
                if !monitor.wait(deadlineNs: idleDeadlineNs), count == 0 { return !isClosed }
            } else {
                monitor.wait()
            }
        }
        moveSome(into: &batch, itemCountMax: itemCountMax)
        return true
    }

    /// As `take`, but only while `isDue` holds of the export that waits first; does not block.
    /// Returns whether anything was taken. `isDue` runs under the ring's lock: keep it short.
    package func takeDue(
        into batch: inout ExportBatch, itemCountMax: Int,
        _ isDue: (borrowing PendingExport, _ exportCount: Int) -> Bool
    ) -> Bool {
        precondition(batch.isEmpty)
        monitor.lock()
        defer { monitor.unlock() }
        guard count > 0, unsafe isDue(slots[headIndex], count) else { return false }
        moveSome(into: &batch, itemCountMax: itemCountMax)
        return true
    }

    /// Of the caller, who holds the lock.
    private func moveSome(into batch: inout ExportBatch, itemCountMax: Int) {
        while count > 0, !batch.isFull {
            let nextItemCount = unsafe slots[headIndex].export.itemCount
            guard batch.isEmpty || batch.itemCount + nextItemCount <= itemCountMax else { break }
            batch.append(unsafe (slots + headIndex).move())
            headIndex = (headIndex + 1) % slotCountMax
            count -= 1
            itemCount -= nextItemCount
        }
        showDepth()
    }

    /// Moves the exports that `isWanted` names to the end of `batch`, as far as it has room; the
    /// others keep their order.
    ///
    /// Cost: one look at every export that waits, under the lock. `isWanted` must be quick.
    package func take(
        into batch: inout ExportBatch, where isWanted: (borrowing PendingExport) -> Bool
    ) {
        monitor.lock()
        defer { monitor.unlock() }
        var keptCount = 0
        for offset in 0..<count {
            let slot = unsafe slots + (headIndex + offset) % slotCountMax
            if !batch.isFull, unsafe isWanted(slot.pointee) {
                itemCount -= unsafe slot.pointee.export.itemCount
                batch.append(unsafe slot.move())
            } else {
                if keptCount != offset {
                    let kept = unsafe slots + (headIndex + keptCount) % slotCountMax
                    unsafe kept.moveInitialize(from: slot, count: 1)
                }
                keptCount += 1
            }
        }
        count = keptCount
        showDepth()
    }

    /// Takes nothing more in; what is inside can still be taken. Wakes all consumers.
    package func close() {
        monitor.withLock {
            isClosed = true
            monitor.broadcast()
        }
    }
}
