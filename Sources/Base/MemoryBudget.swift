// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The one account of bytes held for requests (`memory.budget_bytes`).
///
/// Whoever is about to allocate for a request reserves first, and releases when the memory is gone.
/// Thread: any. Cost: one atomic operation.
package final class MemoryBudget: Sendable {
    /// Bytes that may be held in all.
    package let limitBytes: Int
    private let heldBytes = Atomic<Int>(0)
    /// Where the arenas of what it pays for come from.
    package let arenas = ArenaPool()

    package init(limitBytes: Int) {
        precondition(limitBytes > 0)
        self.limitBytes = limitBytes
    }

    /// Bytes reserved at this moment.
    package var inUseBytes: Int { heldBytes.load(ordering: .relaxed) }

    /// Takes `bytes` from the budget, or takes nothing and returns false when they are not there.
    package func tryReserve(_ bytes: Int) -> Bool {
        precondition(bytes >= 0)
        var seen = heldBytes.load(ordering: .relaxed)
        while true {
            guard bytes <= limitBytes - seen else { return false }
            let (exchanged, original) = heldBytes.compareExchange(
                expected: seen, desired: seen + bytes, ordering: .relaxed)
            if exchanged { return true }
            seen = original
        }
    }

    /// Gives `bytes` back.
    package func release(_ bytes: Int) {
        precondition(bytes >= 0)
        let after = heldBytes.subtract(bytes, ordering: .relaxed).newValue
        precondition(after >= 0, "more bytes were released than reserved")
    }
}
