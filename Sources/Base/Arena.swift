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
    @usableFromInline
    var usedBytes = 0

    /// Alignment of every piece: what malloc gives, which protobuf-c relies on.
    @inlinable
    package static var alignmentBytes: Int { 16 }

    /// Bytes handed out so far, padding included.
    package var usedSizeBytes: Int { usedBytes }

    /// Allocates `sizeBytes` at once. The caller has reserved them from the budget.
    package init(sizeBytes: Int) {
        precondition(sizeBytes >= 0)
        unsafe storage = .allocate(byteCount: sizeBytes, alignment: Arena.alignmentBytes)
    }

    @inlinable
    deinit { unsafe storage.deallocate() }

    package var sizeBytes: Int { unsafe storage.count }

    /// The next `sizeBytes` bytes, or nil when they do not fit: an arena never grows. O(1).
    @inlinable
    package mutating func allocate(sizeBytes: Int) -> UnsafeMutableRawPointer? {
        precondition(sizeBytes >= 0)
        let mask = Arena.alignmentBytes - 1
        let startOffset = (usedBytes + mask) & ~mask
        guard unsafe startOffset <= storage.count,
            unsafe sizeBytes <= storage.count - startOffset,
            let base = unsafe storage.baseAddress
        else { return nil }
        usedBytes = startOffset + sizeBytes
        return unsafe base + startOffset
    }
}
