// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Decode

/// The exports that one transaction will hold, in order of arrival.
///
/// Storage is allocated once and reused. Ownership: one writer. What is still inside when the batch
/// is destroyed or emptied tells its client to retry (see `AckTicket`).
@safe
package struct ExportBatch: ~Copyable, @unchecked Sendable {
    private let storage: UnsafeMutablePointer<PendingExport>
    private let exportCountMax: Int
    package private(set) var count = 0
    /// Spans, log records and data points in all.
    package private(set) var itemCount = 0

    package init(exportCountMax: Int) {
        precondition(exportCountMax > 0)
        self.exportCountMax = exportCountMax
        unsafe storage = .allocate(capacity: exportCountMax)
    }

    deinit {
        unsafe storage.deinitialize(count: count)
        unsafe storage.deallocate()
    }

    package var isEmpty: Bool { count == 0 }
    package var isFull: Bool { count == exportCountMax }

    /// Moves `pending` to the end; there must be room.
    mutating func append(_ pending: consuming PendingExport) {
        precondition(!isFull)
        itemCount += pending.export.itemCount
        unsafe (storage + count).initialize(to: pending)
        count += 1
    }

    /// Shows the export at `index`.
    package borrowing func withExport<R, E: Error>(
        _ index: Int, _ body: (borrowing PendingExport) throws(E) -> R
    ) throws(E) -> R {
        precondition(index >= 0 && index < count)
        return try unsafe body(storage[index])
    }

    /// Settles the first `exportCount` exports with the outcome that `outcome` gives for each, and
    /// removes them; the others move up.
    package mutating func settleFirst(
        _ exportCount: Int, _ outcome: (_ index: Int, borrowing PendingExport) -> Outcome
    ) {
        precondition(exportCount >= 0 && exportCount <= count)
        for index in 0..<exportCount {
            let result = unsafe outcome(index, storage[index])
            itemCount -= unsafe storage[index].export.itemCount
            unsafe (storage + index).move().settle(result)
        }
        count -= exportCount
        moveUp(by: exportCount)
    }

    /// Settles and removes the exports for which `outcome` gives one; keeps the order of the rest.
    package mutating func settleSome(_ outcome: (borrowing PendingExport) -> Outcome?) {
        var keptCount = 0
        for index in 0..<count {
            if let result = unsafe outcome(storage[index]) {
                itemCount -= unsafe storage[index].export.itemCount
                unsafe (storage + index).move().settle(result)
            } else {
                if keptCount != index {
                    unsafe (storage + keptCount).moveInitialize(from: storage + index, count: 1)
                }
                keptCount += 1
            }
        }
        count = keptCount
    }

    /// Moves the remaining exports to the front. Its slots are uninitialized memory, so nothing is
    /// lost.
    private func moveUp(by exportCount: Int) {
        guard exportCount > 0 else { return }
        for index in 0..<count {
            unsafe (storage + index).moveInitialize(from: storage + index + exportCount, count: 1)
        }
    }
}
