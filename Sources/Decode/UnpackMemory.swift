// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// Where protobuf-c's memory comes from while one request is unpacked: an arena, and the slabs that
/// it has given back.
///
/// A message of more than 16 fields takes a slab of members, of which it needs a few, and frees it
/// at its end: of a span with ten attributes that is 40 % of its memory, and would lie between this
/// span and the next. So the last slab of each size that was freed is used again. Slabs are known
/// by their size; something else of that size is not freed while unpacking succeeds, and only
/// takes a place among `live`.
/// Ownership: borrows the arena. Thread: one. Cost: a comparison for each piece below that size.
@safe
struct UnpackMemory: ~Copyable {
    /// Slabs of which it is known that they are in use; others are never used again.
    private static let liveCountMax = 32
    /// Slabs are used again up to 2^7 times the smallest: a message of 4,000 fields.
    private static let sizeCount = 8

    @safe private struct Slab {
        var address: UnsafeMutableRawPointer?
        var sizeIndex = 0
    }

    private let arena: UnsafeMutablePointer<Arena>
    private let slabSizeBytesMin: Int
    /// Freed ones, by size: `slabSizeBytesMin << index`.
    private var idle = unsafe InlineArray<8, UnsafeMutableRawPointer?>(repeating: nil)
    private var live = InlineArray<32, Slab>(repeating: Slab())
    private var liveCount = 0
    /// Bytes of slabs that were handed out again, each time they were.
    private(set) var reusedSizeBytes = 0

    init(_ arena: UnsafeMutablePointer<Arena>, model: UnpackModel) {
        unsafe self.arena = arena
        slabSizeBytesMin = model.slabSizeBytesMin
    }

    @inline(__always)
    mutating func allocate(_ sizeBytes: Int) -> UnsafeMutableRawPointer? {
        guard sizeBytes >= slabSizeBytesMin else {
            return unsafe arena.pointee.allocate(sizeBytes: sizeBytes)
        }
        return unsafe allocateLarge(sizeBytes)
    }

    @inline(never)
    private mutating func allocateLarge(_ sizeBytes: Int) -> UnsafeMutableRawPointer? {
        guard let sizeIndex = sizeIndex(sizeBytes) else {
            return unsafe arena.pointee.allocate(sizeBytes: sizeBytes)
        }
        var address = unsafe idle[sizeIndex]
        if unsafe address != nil {
            unsafe idle[sizeIndex] = nil
            reusedSizeBytes += UnpackModel.rounded(sizeBytes)
        } else {
            unsafe address = arena.pointee.allocate(sizeBytes: sizeBytes)
        }
        if liveCount < UnpackMemory.liveCountMax {
            unsafe live[liveCount] = Slab(address: address, sizeIndex: sizeIndex)
            liveCount += 1
        }
        return unsafe address
    }

    /// Takes a slab back; everything else goes with the arena.
    mutating func free(_ address: UnsafeMutableRawPointer?) {
        var index = liveCount - 1
        while unsafe index >= 0 && live[index].address != address { index -= 1 }
        guard index >= 0 else { return }
        unsafe idle[live[index].sizeIndex] = address
        liveCount -= 1
        live[index] = live[liveCount]
    }

    /// Which size of a slab that is; nil for what is none.
    private func sizeIndex(_ sizeBytes: Int) -> Int? {
        guard sizeBytes % slabSizeBytesMin == 0 else { return nil }
        let multiple = sizeBytes / slabSizeBytesMin
        guard multiple & (multiple - 1) == 0 else { return nil }
        let index = multiple.trailingZeroBitCount
        return index < UnpackMemory.sizeCount ? index : nil
    }
}
