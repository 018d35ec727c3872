// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// How the process gets memory from the system and gives it back.
package enum ProcessMemory {
    /// Blocks of at least this size are mapped by themselves. Smaller ones share heaps.
    static let mappedSizeBytesMin = 1 << 20
    /// Free memory that a heap keeps at its end.
    static let heapKeptSizeBytes = 4 << 20

    /// More than this must be free inside the heaps before they are gone through.
    static let heapFreeSizeBytesMax = 8 << 20

    /// Blocks of at least this size ask for large pages.
    static let largePagesSizeBytesMin = 4 << 20
    /// Of a large page, on the processors that there are builds for.
    static let largePageSizeBytes = 2 << 20

    /// Has the kernel back `block` with pages of 2 MiB, where it is large and they are to be had.
    ///
    /// A block that is mapped by itself and written to from end to end pays a page fault for each
    /// page. Only whole large pages within the block are asked for, so none of its memory is
    /// resident that would not be anyway. Ownership: borrowed for the call. Thread: any.
    package static func useLargePages(for block: UnsafeMutableRawBufferPointer) {
        guard block.count >= largePagesSizeBytesMin, let base = block.baseAddress else {
            return
        }
        let mask = largePageSizeBytes - 1
        let start = Int(bitPattern: base)
        let alignedStart = (start + mask) & ~mask
        let alignedEnd = (start + block.count) & ~mask
        // A hint: where it is refused, the pages are small.
        _ = unsafe madvise(
            base + (alignedStart - start), alignedEnd - alignedStart, Int32(MADV_HUGEPAGE))
    }

    /// Gives pages of the heaps back that nothing stands on, where there may be many of them.
    ///
    /// glibc gives back the end of a heap only: after a burst, one small block that stays keeps all
    /// below it resident. Cost: a look at the free lists; then some milliseconds, in which threads
    /// that allocate may wait for the heap that is being gone through. Thread: any, at times.
    package static func giveBackHeaps() {
        guard linux_heap_free_bytes() > heapFreeSizeBytesMax else { return }
        // Whether it came to anything makes no difference.
        _ = malloc_trim(heapKeptSizeBytes)
    }

    /// Makes resident memory follow `MemoryBudget`.
    ///
    /// glibc by itself puts blocks of up to 32 MiB into heaps once it has seen such a block freed.
    /// There a buffer that grows stands twice for a moment, of which the budget knows one, and
    /// holes stay resident. A block that is mapped by itself grows by moving its pages, and is gone
    /// when it is freed. The buffers of the hot path are kept or pooled, so that they pay no page
    /// faults.
    /// Thread: the main thread, before there are others.
    package static func configure() {
        let isSet = linux_map_blocks_from(
            Int32(mappedSizeBytesMin), Int32(heapKeptSizeBytes))
        precondition(isSet != 0, "mallopt refused constants")
    }
}
