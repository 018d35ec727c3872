// SPDX-License-Identifier: Apache-2.0
package import Base

/// A growing run of bytes in PostgreSQL's binary COPY format, charged to the memory budget.
///
/// Room is reserved before it is written: `reserve` can fail, which is an operating condition, and
/// what is written after it cannot. Everything named `put…` requires room that was reserved;
/// everything named `append…` reserves it, and returns false, leaving half a row at most, when the
/// budget is spent. Ownership: sole owner. Thread: confined to one. Reused from batch to batch
/// without allocating.
@safe
package struct CopyBuffer: ~Copyable {
    /// The least that is taken from the budget at once.
    package static let growthSizeBytesMin = 64 << 10
    /// The most that is taken at once beyond what is needed.
    package static let growthSizeBytesMax = 16 << 20
    /// Offsets in a buffer are kept in 32 bits.
    package static let sizeBytesMax = Int(UInt32.max)

    private let budget: MemoryBudget
    /// Never read past `count`.
    var storage: UnsafeMutableRawPointer
    package private(set) var capacityBytes = 0
    /// Bytes written so far.
    package internal(set) var count = 0

    /// Attributes that were left out of what was written.
    var droppedAttributeCount = 0

    /// A buffer without memory.
    package init(budget: MemoryBudget) {
        self.budget = budget
        unsafe storage = CopyBuffer.noStorage
    }

    deinit { unsafe CopyBuffer.discard(storage, capacityBytes: capacityBytes, budget: budget) }

    /// The bytes written so far. Valid until the buffer changes.
    package var bytes: ByteSlice { bytes(offset: 0, count: count) }

    /// `count` of the bytes written so far. Valid until the buffer changes.
    package func bytes(offset: Int, count: Int) -> ByteSlice {
        precondition(offset >= 0 && count >= 0 && offset <= self.count - count)
        guard count > 0 else { return .empty }
        return unsafe ByteSlice(base: storage + offset, count: count)
    }

    /// Makes sure that `sizeBytes` more can be put; returns false past the budget. Amortised O(1).
    @inline(__always)
    package mutating func reserve(_ sizeBytes: Int) -> Bool {
        sizeBytes <= capacityBytes - count || grow(sizeBytes)
    }

    /// Takes back what was written from `count` on.
    package mutating func truncate(count: Int) {
        precondition(count >= 0 && count <= self.count)
        self.count = count
    }

    /// Forgets the content, and gives the memory back where it is more than `keptSizeBytes`.
    package mutating func removeAll(keptSizeBytes: Int) {
        count = 0
        guard capacityBytes > keptSizeBytes else { return }
        unsafe CopyBuffer.discard(storage, capacityBytes: capacityBytes, budget: budget)
        unsafe storage = CopyBuffer.noStorage
        capacityBytes = 0
    }

    /// Doubles, within the steps above. Where the budget has not that much, takes an eighth of the
    /// step: a buffer that grew by what each row needs would be copied for each row. Both blocks
    /// are charged while both exist.
    @inline(never)
    private mutating func grow(_ sizeBytes: Int) -> Bool {
        precondition(sizeBytes >= 0)
        guard sizeBytes <= CopyBuffer.sizeBytesMax - count else { return false }
        let neededBytes = count + sizeBytes
        let step = min(
            max(capacityBytes, CopyBuffer.growthSizeBytesMin), CopyBuffer.growthSizeBytesMax)
        let wantedBytes = min(max(neededBytes, capacityBytes + step), CopyBuffer.sizeBytesMax)
        // Without content there is nothing to copy.
        let leastStep = count > 0 ? step / 8 : 0
        let leastBytes = min(
            max(neededBytes, capacityBytes + leastStep), CopyBuffer.sizeBytesMax)
        return reallocate(capacityBytes: wantedBytes) || reallocate(capacityBytes: leastBytes)
    }

    private mutating func reallocate(capacityBytes: Int) -> Bool {
        guard budget.tryReserve(capacityBytes) else { return false }
        let grown = UnsafeMutableRawPointer.allocate(byteCount: capacityBytes, alignment: 16)
        unsafe ProcessMemory.useLargePages(
            for: UnsafeMutableRawBufferPointer(start: grown, count: capacityBytes))
        unsafe grown.copyMemory(from: storage, byteCount: count)
        unsafe CopyBuffer.discard(storage, capacityBytes: self.capacityBytes, budget: budget)
        unsafe storage = grown
        self.capacityBytes = capacityBytes
        return true
    }

    /// Stands for no memory; nothing is ever written through it.
    private static var noStorage: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(bitPattern: 16).unsafelyUnwrapped
    }

    private static func discard(
        _ storage: UnsafeMutableRawPointer, capacityBytes: Int, budget: MemoryBudget
    ) {
        guard capacityBytes > 0 else { return }
        unsafe storage.deallocate()
        budget.release(capacityBytes)
    }
}

// Raw bytes.
extension CopyBuffer {
    @inline(__always)
    mutating func put(_ byte: UInt8) {
        assert(count < capacityBytes)
        unsafe storage.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    @inline(__always)
    mutating func put(_ bytes: ByteSlice) {
        assert(bytes.count <= capacityBytes - count)
        guard let source = unsafe bytes.base else { return }
        unsafe (storage + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// The bytes of an ASCII literal.
    @inline(__always)
    mutating func put(_ literal: StaticString) {
        let size = literal.utf8CodeUnitCount
        assert(size <= capacityBytes - count)
        unsafe (storage + count).copyMemory(from: literal.utf8Start, byteCount: size)
        count += size
    }

    @inline(__always)
    mutating func putBigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        assert(MemoryLayout<T>.size <= capacityBytes - count)
        unsafe storage.storeBytes(of: value.bigEndian, toByteOffset: count, as: T.self)
        count += MemoryLayout<T>.size
    }

    /// Overwrites 4 bytes that were put before.
    mutating func patchBigEndian(_ value: Int32, at offset: Int) {
        precondition(offset >= 0 && offset <= count - 4)
        unsafe storage.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Int32.self)
    }
}
