// SPDX-License-Identifier: Apache-2.0

/// The primitives of the protobuf wire format. All of them read below `end` only.
enum WireNumber {
    /// Bytes of the varint at `start`, or 0 when it does not end within 10 bytes or before `end`.
    @inline(__always)
    static func varintSizeBytes(_ start: UnsafeRawPointer, end: UnsafeRawPointer) -> Int {
        let availableBytes = unsafe min(end - start, 10)
        var offset = 0
        while offset < availableBytes {
            if unsafe start.load(fromByteOffset: offset, as: UInt8.self) < 0x80 {
                return offset &+ 1
            }
            offset &+= 1
        }
        return 0
    }

    /// The tag or length at `start` and its size, or size 0 when it does not end within 5 bytes or
    /// before `end`, or has more than 32 bits. (protobuf-c takes 5 bytes as well, and drops what is
    /// above bit 31.)
    @inline(__always)
    static func prefix(
        _ start: UnsafeRawPointer, end: UnsafeRawPointer
    ) -> (value: Int, sizeBytes: Int) {
        guard unsafe start < end else { return (0, 0) }
        let first = unsafe Int(start.load(as: UInt8.self))
        if first < 0x80 { return (first, 1) }
        guard unsafe end - start >= 2 else { return (0, 0) }
        let second = unsafe Int(start.load(fromByteOffset: 1, as: UInt8.self))
        if second < 0x80 { return (first & 0x7f | second &<< 7, 2) }
        return unsafe longPrefix(start, end: end)
    }

    @inline(never)
    private static func longPrefix(
        _ start: UnsafeRawPointer, end: UnsafeRawPointer
    ) -> (value: Int, sizeBytes: Int) {
        var value = 0
        for offset in 0..<(unsafe min(end - start, 5)) {
            let byte = unsafe Int(start.load(fromByteOffset: offset, as: UInt8.self))
            value |= (byte & 0x7f) << (7 * offset)
            if byte < 0x80 { return value <= Int(UInt32.max) ? (value, offset + 1) : (0, 0) }
        }
        return (0, 0)
    }

    /// How many varints fill `bytes` exactly, or nil when the last one is cut off or one is over 10
    /// bytes.
    static func packedVarintCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let continuationBits: UInt64 = 0x8080_8080_8080_8080
        var count = 0
        var offset = 0
        var sizeBytes = 0
        while offset < bytes.count {
            // Most numbers are below 128: 8 of them at once, the first of which may end another.
            if bytes.count &- offset >= 8,
                unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    & continuationBits == 0
            {
                (count, offset, sizeBytes) = (count &+ 8, offset &+ 8, 0)
                continue
            }
            sizeBytes &+= 1
            if unsafe bytes[offset] < 0x80 {
                count &+= 1
                sizeBytes = 0
            } else if sizeBytes == 10 {
                return nil
            }
            offset &+= 1
        }
        return sizeBytes == 0 ? count : nil
    }
}
