// SPDX-License-Identifier: Apache-2.0

/// A fixed block of memory that hands out pieces in order and takes them all back at once.
///
/// Every decoded message of one export lives in one arena, so that releasing an export costs one
/// free.
/// Ownership: moved with the export. Thread: wherever its owner is.
@safe
@frozen
@usableFromInline
package struct Arena: ~Copyable, @unchecked Sendable {
    @usableFromInline
    let storage: UnsafeMutableRawBufferPointer
    /// Bytes that may be handed out: `storage` may be larger.
    @usableFromInline
    package let sizeBytes: Int
    @usableFromInline
    var usedBytes = 0
    @usableFromInline
    let pool: ArenaPool?

    /// Alignment of every piece: what malloc gives, which protobuf-c relies on.
    @inlinable
    package static var alignmentBytes: Int { 16 }

    /// Bytes handed out so far, padding included.
    package var usedSizeBytes: Int { usedBytes }

    /// Makes an arena of `sizeBytes`. The caller has reserved `ArenaPool.capacityBytes` of that
    /// from the budget. The memory comes from `pool`, where there is one, and goes back to it.
    package init(sizeBytes: Int, pool: ArenaPool? = nil) {
        precondition(sizeBytes >= 0)
        self.sizeBytes = sizeBytes
        self.pool = pool
        let capacityBytes = ArenaPool.capacityBytes(sizeBytes: sizeBytes)
        if let pool {
            unsafe storage = pool.take(capacityBytes: capacityBytes)
        } else {
            unsafe storage = .allocate(
                byteCount: capacityBytes, alignment: Arena.alignmentBytes)
        }
    }

    deinit {
        if let pool { unsafe pool.give(storage) } else { unsafe storage.deallocate() }
    }

    /// Bytes of memory that the arena holds.
    package var capacityBytes: Int { unsafe storage.count }

    /// The next `sizeBytes` bytes, or nil when they do not fit: an arena never grows. O(1).
    @inlinable
    package mutating func allocate(sizeBytes: Int) -> UnsafeMutableRawPointer? {
        precondition(sizeBytes >= 0)
        let mask = Arena.alignmentBytes - 1
        let startOffset = (usedBytes + mask) & ~mask
        guard startOffset <= self.sizeBytes, sizeBytes <= self.sizeBytes - startOffset,
            let base = unsafe storage.baseAddress
        else { return nil }
        usedBytes = startOffset + sizeBytes
        return unsafe base + startOffset
    }
}
