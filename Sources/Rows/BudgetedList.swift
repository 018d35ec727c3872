// SPDX-License-Identifier: Apache-2.0
package import Base

/// A growing list of plain values whose memory is charged to the budget, reused from batch to
/// batch.
///
/// Ownership: sole owner. Thread: confined to one. Failure: `append` returns false past the budget.
///
/// Inlinable, because a generic type is not specialised in other modules otherwise.
@safe
@usableFromInline
package struct BudgetedList<Element: BitwiseCopyable>: ~Copyable {
    private static var growthSizeBytes: Int { 4 << 10 }

    private let budget: MemoryBudget
    @usableFromInline var storage: UnsafeMutableBufferPointer<Element>
    @usableFromInline package internal(set) var count = 0

    package init(budget: MemoryBudget) {
        self.budget = budget
        unsafe storage = UnsafeMutableBufferPointer(start: nil, count: 0)
    }

    deinit { unsafe BudgetedList.discard(storage, budget: budget) }

    @inlinable
    package subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count)
            return unsafe storage[index]
        }
        set {
            precondition(index >= 0 && index < count)
            unsafe storage[index] = newValue
        }
    }

    /// Adds one value; returns false, changing nothing, past the budget. Amortised O(1).
    @inlinable
    package mutating func append(_ value: Element) -> Bool {
        if unsafe count == storage.count, !grow() { return false }
        unsafe storage.initializeElement(at: count, to: value)
        count += 1
        return true
    }

    /// Forgets the values from `count` on, keeps the memory.
    package mutating func truncate(count: Int) {
        precondition(count >= 0 && count <= self.count)
        self.count = count
    }

    /// Forgets all values, and gives the memory back where it is more than `keptSizeBytes`.
    package mutating func removeAll(keptSizeBytes: Int) {
        count = 0
        guard unsafe storage.count * MemoryLayout<Element>.stride > keptSizeBytes else { return }
        unsafe BudgetedList.discard(storage, budget: budget)
        unsafe storage = UnsafeMutableBufferPointer(start: nil, count: 0)
    }

    /// Doubles the capacity. Both blocks are charged while both exist.
    @usableFromInline
    mutating func grow() -> Bool {
        let stride = MemoryLayout<Element>.stride
        let capacity = unsafe max(storage.count * 2, BudgetedList.growthSizeBytes / stride)
        guard budget.tryReserve(capacity * stride) else { return false }
        let grown = UnsafeMutableBufferPointer<Element>.allocate(capacity: capacity)
        _ = unsafe grown.moveInitialize(fromContentsOf: storage[..<count])
        unsafe BudgetedList.discard(storage, budget: budget)
        unsafe storage = grown
        return true
    }

    private static func discard(
        _ storage: UnsafeMutableBufferPointer<Element>, budget: MemoryBudget
    ) {
        unsafe storage.deallocate()
        budget.release(storage.count * MemoryLayout<Element>.stride)
    }
}
