// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Sole owner of a heap buffer whose capacity is charged to the memory budget for as long as it
/// lives.
///
/// Growth is explicit and can fail, because what fills it comes from the wire.
/// Thread: moved, never shared.
@safe
package struct OwnedBytes: ~Copyable, @unchecked Sendable {
    private var storage: UnsafeMutableRawBufferPointer
    private let budget: MemoryBudget
    /// Bytes written so far.
    package private(set) var count = 0

    /// An empty buffer without storage.
    package init(budget: MemoryBudget) {
        self.budget = budget
        unsafe storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    deinit {
        unsafe storage.deallocate()
        unsafe budget.release(storage.count)
    }

    package var capacityBytes: Int { unsafe storage.count }

    /// The bytes written so far. Valid until the buffer grows or is destroyed.
    package var slice: ByteSlice {
        unsafe ByteSlice(
            base: count > 0 ? UnsafeRawPointer(storage.baseAddress) : nil, count: count)
    }

    /// Makes room for exactly `capacityBytes` in all; returns false, changing nothing, past the
    /// budget.
    package mutating func reserve(capacityBytes: Int) -> Bool {
        guard unsafe capacityBytes > storage.count else { return true }
        let extraBytes = unsafe capacityBytes - storage.count
        guard budget.tryReserve(extraBytes) else { return false }
        // realloc may hold both copies for a moment; the larger of them is what the budget knows.
        let grown = unsafe realloc(storage.baseAddress, capacityBytes)
        guard let grown = unsafe grown else {
            budget.release(extraBytes)
            return false
        }
        unsafe storage = UnsafeMutableRawBufferPointer(start: grown, count: capacityBytes)
        return true
    }

    /// Appends a copy of `bytes`, doubling the capacity as needed but never past `limitBytes`.
    ///
    /// Returns false, changing nothing, past the budget or the limit.
    package mutating func append(_ bytes: ByteSlice, limitBytes: Int) -> Bool {
        guard bytes.count <= limitBytes - count else { return false }
        let neededBytes = count + bytes.count
        if neededBytes > capacityBytes {
            let doubled = min(limitBytes, max(neededBytes, capacityBytes * 2, 4_096))
            guard reserve(capacityBytes: doubled) || reserve(capacityBytes: neededBytes) else {
                return false
            }
        }
        if let source = unsafe bytes.base, let base = unsafe storage.baseAddress {
            unsafe (base + count).copyMemory(from: source, byteCount: bytes.count)
        }
        count = neededBytes
        return true
    }

    /// Lets `body` write into the free capacity; it returns how many bytes it wrote.
    package mutating func appendUninitialized<E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) {
        let free = unsafe UnsafeMutableRawBufferPointer(rebasing: storage[count...])
        let written = try unsafe body(free)
        precondition(written >= 0 && written <= free.count)
        count += written
    }

    /// Forgets the content, keeps the storage.
    package mutating func removeAll() { count = 0 }

    /// Forgets the content and gives storage above `capacityBytes` back to the budget.
    package mutating func shrink(capacityBytes: Int) {
        count = 0
        guard unsafe storage.count > capacityBytes else { return }
        let oldBytes = unsafe storage.count
        unsafe storage.deallocate()
        unsafe storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        budget.release(oldBytes)
    }
}
