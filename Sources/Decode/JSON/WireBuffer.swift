// SPDX-License-Identifier: Apache-2.0
package import Base

/// Sole owner of protobuf bytes under construction, whose capacity is charged to the memory budget.
///
/// It grows by doubling up to a limit; while it does, both copies are there for a moment, of which
/// the budget knows the larger. Lengths of what is not written yet are filled in behind.
/// Thread: one at a time.
@safe
package struct WireBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    /// Bytes of the budget that it holds.
    package private(set) var capacityBytes = 0
    private let limitBytes: Int
    private let budget: MemoryBudget
    private(set) var count = 0

    /// Why no more fits.
    enum Full: Error {
        case limit
        case budget
    }

    init(limitBytes: Int, budget: MemoryBudget) {
        unsafe base = nil
        self.limitBytes = limitBytes
        self.budget = budget
    }

    /// Makes room for `sizeBytes` in one go, if they are there: a guess, not a promise.
    mutating func expect(sizeBytes: Int) throws(Full) {
        try makeRoom(min(sizeBytes, limitBytes - count))
    }

    deinit {
        unsafe base?.deallocate()
        budget.release(capacityBytes)
    }

    /// What was written. Valid until the buffer grows or is destroyed.
    package var slice: ByteSlice {
        unsafe ByteSlice(base: count > 0 ? UnsafeRawPointer(base) : nil, count: count)
    }

    /// Makes sure that `sizeBytes` more can be written.
    @inline(__always)
    private mutating func makeRoom(_ sizeBytes: Int) throws(Full) {
        if sizeBytes > capacityBytes &- count { try grow(sizeBytes) }
    }

    @inline(never)
    private mutating func grow(_ sizeBytes: Int) throws(Full) {
        guard sizeBytes <= limitBytes - count else { throw .limit }
        let wanted = min(limitBytes, max(count + sizeBytes, 2 * capacityBytes, 4_096))
        guard budget.tryReserve(wanted - capacityBytes) else { throw .budget }
        let grown = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        if let base = unsafe base {
            unsafe grown.copyMemory(from: base, byteCount: count)
            unsafe base.deallocate()
        }
        unsafe base = grown
        capacityBytes = wanted
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) throws(Full) {
        try makeRoom(1)
        unsafe base.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    mutating func append(_ bytes: ByteSlice) throws(Full) {
        guard let source = unsafe bytes.base else { return }
        try makeRoom(bytes.count)
        unsafe (base.unsafelyUnwrapped + count).copyMemory(from: source, byteCount: bytes.count)
        count &+= bytes.count
    }

    mutating func append(varint value: UInt64) throws(Full) {
        var rest = value
        while rest >= 0x80 {
            try append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        try append(UInt8(rest))
    }

    mutating func append<Number: FixedWidthInteger>(fixed value: Number) throws(Full) {
        let sizeBytes = MemoryLayout<Number>.size
        try makeRoom(sizeBytes)
        unsafe (base.unsafelyUnwrapped + count).storeBytes(
            of: value.littleEndian, as: Number.self)
        count &+= sizeBytes
    }

    /// Forgets what was written from `mark` on.
    mutating func cut(to mark: Int) {
        precondition(mark <= count)
        count = mark
    }

    /// Bytes from `mark` on may be changed in place; `body` returns how many of them are left.
    mutating func rewrite(
        from mark: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int?
    ) -> Bool {
        guard mark < count, let base = unsafe base else { return true }
        let bytes = unsafe UnsafeMutableRawBufferPointer(start: base + mark, count: count - mark)
        guard let leftBytes = unsafe body(bytes) else { return false }
        precondition(leftBytes <= count - mark)
        count = mark + leftBytes
        return true
    }

    // MARK: Lengths

    /// Where a length will stand.
    struct Length: BitwiseCopyable {
        fileprivate let offset: Int
        fileprivate let isWide: Bool
    }

    /// Begins something whose length comes before it. A wide one takes five bytes, whatever it is;
    /// else what follows is moved if it becomes 128 bytes or more.
    mutating func openLength(isWide: Bool) throws(Full) -> Length {
        let length = Length(offset: count, isWide: isWide)
        for _ in 0..<(isWide ? 5 : 1) { try append(0) }
        return length
    }

    mutating func close(_ length: Length) throws(Full) {
        let start = length.offset + (length.isWide ? 5 : 1)
        let sizeBytes = count - start
        if length.isWide {
            put(varint: sizeBytes, at: length.offset, sizeBytes: 5)
            return
        }
        let extraBytes = WireBuffer.varintSizeBytes(sizeBytes) - 1
        if extraBytes > 0 {
            try makeRoom(extraBytes)
            let content = unsafe base.unsafelyUnwrapped + start
            unsafe (content + extraBytes).copyMemory(from: content, byteCount: sizeBytes)
            count += extraBytes
        }
        put(varint: sizeBytes, at: length.offset, sizeBytes: extraBytes + 1)
    }

    /// Padded where it needs fewer bytes.
    private mutating func put(varint value: Int, at offset: Int, sizeBytes: Int) {
        for index in 0..<sizeBytes {
            let isLast = index == sizeBytes - 1
            let byte = UInt8(truncatingIfNeeded: value >> (7 * index)) & 0x7f | (isLast ? 0 : 0x80)
            unsafe base.unsafelyUnwrapped.storeBytes(
                of: byte, toByteOffset: offset + index, as: UInt8.self)
        }
    }

    static func varintSizeBytes(_ value: Int) -> Int {
        max(1, (Int.bitWidth - value.leadingZeroBitCount + 6) / 7)
    }
}
