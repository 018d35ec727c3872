// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// How the process gets memory from the system and gives it back.
package enum ProcessMemory {
    /// Blocks of at least this size are mapped by themselves. Smaller ones share heaps.
    static let mappedSizeBytesMin = 1 << 20
    /// Free memory that a heap keeps at its end.
    static let heapKeptSizeBytes = 4 << 20

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
