// SPDX-License-Identifier: Apache-2.0

/// Decides whether bytes are text that PostgreSQL can store: UTF-8 (RFC 3629) without NUL.
enum TextCheck {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// The top bit of some byte is set unless all 8 bytes are in 0x01...0x7f: a zero byte borrows.
    @inline(__always)
    private static func suspects(in word: UInt64) -> UInt64 { (word &- ones) | word }

    /// True when all bytes are ASCII and none is NUL; false asks for `fault`.
    ///
    /// `readableEnd` bounds what may be read, which may be more than is checked. 8 bytes at a time.
    @inline(__always)
    static func isPlain(
        _ start: UnsafeRawPointer, count: Int, readableEnd: UnsafeRawPointer
    ) -> Bool {
        if count >= 8 {
            // The last word overlaps the one before it.
            let lastOffset = count &- 8
            var seen = unsafe suspects(
                in: start.loadUnaligned(fromByteOffset: lastOffset, as: UInt64.self))
            var offset = 0
            while offset < lastOffset {
                seen |= unsafe suspects(
                    in: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                offset &+= 8
            }
            return seen & highBits == 0
        }
        if unsafe readableEnd - start >= 8 {
            // Little-endian: the bytes beyond the text are the high ones; they are replaced by
            // 0x01.
            let kept = (UInt64(1) &<< UInt64(truncatingIfNeeded: count &* 8)) &- 1
            let word = unsafe UInt64(littleEndian: start.loadUnaligned(as: UInt64.self))
            return suspects(in: (word & kept) | (ones & ~kept)) & highBits == 0
        }
        for offset in 0..<count {
            let byte = unsafe start.load(fromByteOffset: offset, as: UInt8.self)
            if byte == 0 || byte >= 0x80 { return false }
        }
        return true
    }

    /// The first fault in bytes that are not plain, or nil when they are UTF-8 without NUL.
    @inline(never)
    static func fault(in bytes: UnsafeRawBufferPointer) -> ItemFault? {
        var position = 0
        while position < bytes.count {
            if bytes.count - position >= 8,
                unsafe suspects(in: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                    & highBits == 0
            {
                position += 8
                continue
            }
            let lead = unsafe bytes[position]
            if lead == 0 { return .nulInText }
            let sizeBytes = unsafe lead < 0x80 ? 1 : sequenceSizeBytes(bytes, at: position)
            if sizeBytes == 0 { return .invalidUTF8 }
            position += sizeBytes
        }
        return nil
    }

    /// Length of the well-formed sequence of 2, 3 or 4 bytes at `position`, or 0 (Unicode table
    /// 3-7).
    @inline(__always)
    private static func sequenceSizeBytes(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Int
    {
        let lead = unsafe bytes[position]
        let sizeBytes: Int
        let secondRange: ClosedRange<UInt8>
        switch lead {
        case 0xC2...0xDF: (sizeBytes, secondRange) = (2, 0x80...0xBF)
        case 0xE0: (sizeBytes, secondRange) = (3, 0xA0...0xBF)  // below: overlong
        case 0xED: (sizeBytes, secondRange) = (3, 0x80...0x9F)  // above: surrogates
        case 0xE1...0xEF: (sizeBytes, secondRange) = (3, 0x80...0xBF)
        case 0xF0: (sizeBytes, secondRange) = (4, 0x90...0xBF)  // below: overlong
        case 0xF1...0xF3: (sizeBytes, secondRange) = (4, 0x80...0xBF)
        case 0xF4: (sizeBytes, secondRange) = (4, 0x80...0x8F)  // above: beyond U+10FFFF
        default: return 0
        }
        guard bytes.count - position >= sizeBytes,
            secondRange.contains(unsafe bytes[position + 1])
        else { return 0 }
        for offset in 2..<max(2, sizeBytes) where unsafe bytes[position + offset] & 0xC0 != 0x80 {
            return 0
        }
        return sizeBytes
    }
}
