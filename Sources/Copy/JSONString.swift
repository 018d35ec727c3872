// SPDX-License-Identifier: Apache-2.0
internal import Base

// JSON strings from UTF-8 that was checked: only quotes, backslashes and control characters change.
extension CopyBuffer {
    /// The most bytes that one byte becomes: \u00XX.
    private static let escapeSizeBytes = 6
    /// Text is converted in pieces of this size, so that room for the worst case is no multiple of
    /// it.
    private static let pieceSizeBytes = 4_096
    /// Whole words are stored, and the last one may reach that far past what counts.
    static let wordSlackBytes = 8

    /// A JSON string with its quotes. Cost: about one load and one store for 8 bytes.
    @inline(__always)
    mutating func appendJSON(string text: ByteSlice) -> Bool {
        if text.count <= CopyBuffer.pieceSizeBytes {
            guard reserve(text.count * CopyBuffer.escapeSizeBytes + 2 + CopyBuffer.wordSlackBytes)
            else {
                return false
            }
            put(UInt8(ascii: "\""))
            putEscaped(text)
            put(UInt8(ascii: "\""))
            return true
        }
        return appendJSON(longString: text)
    }

    @inline(never)
    private mutating func appendJSON(longString text: ByteSlice) -> Bool {
        guard reserve(1) else { return false }
        put(UInt8(ascii: "\""))
        var offset = 0
        while offset < text.count {
            let sizeBytes = min(text.count - offset, CopyBuffer.pieceSizeBytes)
            guard reserve(sizeBytes * CopyBuffer.escapeSizeBytes + 1 + CopyBuffer.wordSlackBytes)
            else {
                return false
            }
            putEscaped(text.slice(offset: offset, count: sizeBytes))
            offset += sizeBytes
        }
        put(UInt8(ascii: "\""))
        return true
    }

    /// Text without quotes. Needs 6 bytes of room per byte, and `wordSlackBytes`.
    @inline(__always)
    private mutating func putEscaped(_ text: ByteSlice) {
        guard let source = unsafe text.base else { return }
        var offset = 0
        while offset + 8 <= text.count {
            let word = unsafe source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                .littleEndian
            let special = CopyBuffer.specialBytes(in: word)
            if special == 0 {
                putWord(word, sizeBytes: 8)
            } else {
                putEscaped(word, sizeBytes: 8, special: special)
            }
            offset += 8
        }
        let restSizeBytes = text.count - offset
        guard restSizeBytes > 0 else { return }
        let word = CopyBuffer.lastWord(of: text, sizeBytes: restSizeBytes)
        let inside: UInt64 = (1 << UInt64(restSizeBytes * 8)) &- 1
        let special = CopyBuffer.specialBytes(in: word) & inside
        if special == 0 {
            putWord(word, sizeBytes: restSizeBytes)
        } else {
            putEscaped(word, sizeBytes: restSizeBytes, special: special)
        }
    }

    /// The last 1...7 bytes of `text` in the low bytes of a word, reading none outside of it.
    @inline(__always)
    private static func lastWord(of text: ByteSlice, sizeBytes: Int) -> UInt64 {
        let source = unsafe text.base.unsafelyUnwrapped
        if text.count >= 8 {
            let word = unsafe source.loadUnaligned(fromByteOffset: text.count - 8, as: UInt64.self)
            return word.littleEndian >> UInt64((8 - sizeBytes) * 8)
        }
        // Here the rest is the whole text.
        if sizeBytes >= 4 {
            let low = unsafe source.loadUnaligned(as: UInt32.self).littleEndian
            let high = unsafe source.loadUnaligned(fromByteOffset: sizeBytes - 4, as: UInt32.self)
                .littleEndian
            return UInt64(low) | UInt64(high) << UInt64((sizeBytes - 4) * 8)
        }
        let first = unsafe UInt64(source.load(as: UInt8.self))
        let middle = unsafe UInt64(source.load(fromByteOffset: sizeBytes / 2, as: UInt8.self))
        let last = unsafe UInt64(source.load(fromByteOffset: sizeBytes - 1, as: UInt8.self))
        return first | middle << UInt64(sizeBytes / 2 * 8) | last << UInt64((sizeBytes - 1) * 8)
    }

    /// Marks (with their highest bit) bytes below 0x20, quotes and backslashes. Bytes above the
    /// lowest marked one may be marked wrongly, because subtraction borrows.
    @inline(__always)
    private static func specialBytes(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let control = (word &- ones &* 0x20) & ~word
        let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        let isQuote = (quote &- ones) & ~quote
        let isBackslash = (backslash &- ones) & ~backslash
        return (control | isQuote | isBackslash) & highs
    }

    /// The low `sizeBytes` of a word; stores all 8.
    @inline(__always)
    private mutating func putWord(_ word: UInt64, sizeBytes: Int) {
        assert(count + 8 <= capacityBytes)
        unsafe storage.storeBytes(of: word.littleEndian, toByteOffset: count, as: UInt64.self)
        count += sizeBytes
    }

    /// The low `sizeBytes` of a word of which at least one is special.
    @inline(never)
    private mutating func putEscaped(_ word: UInt64, sizeBytes: Int, special: UInt64) {
        var word = word
        var restSizeBytes = sizeBytes
        var special = special
        while special != 0 {
            let plainSizeBytes = special.trailingZeroBitCount / 8
            guard plainSizeBytes < restSizeBytes else { break }
            putWord(word, sizeBytes: plainSizeBytes)
            putEscape(UInt8(truncatingIfNeeded: word >> UInt64(plainSizeBytes * 8)))
            word >>= UInt64((plainSizeBytes + 1) * 8)
            restSizeBytes -= plainSizeBytes + 1
            special = CopyBuffer.specialBytes(in: word)
        }
        if restSizeBytes > 0 { putWord(word, sizeBytes: restSizeBytes) }
    }

    private mutating func putEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0x08: put("\\b")
        case 0x0c: put("\\f")
        case 0x0a: put("\\n")
        case 0x0d: put("\\r")
        case 0x09: put("\\t")
        default:
            put("\\u00")
            putHex(byte)
        }
    }
}

// Hexadecimal and base64.
extension CopyBuffer {
    @inline(__always)
    mutating func putHex(_ byte: UInt8) {
        let digits: StaticString = "0123456789abcdef"
        unsafe put(digits.utf8Start[Int(byte >> 4)])
        unsafe put(digits.utf8Start[Int(byte & 15)])
    }

    /// A JSON string of two digits per byte.
    mutating func appendJSON(hex bytes: ByteSlice) -> Bool {
        guard reserve(bytes.count * 2 + 2) else { return false }
        put(UInt8(ascii: "\""))
        for offset in 0..<bytes.count { putHex(bytes[offset]) }
        put(UInt8(ascii: "\""))
        return true
    }

    /// A JSON string in base64 with padding (RFC 4648, section 4).
    mutating func appendJSON(base64 bytes: ByteSlice) -> Bool {
        guard reserve((bytes.count + 2) / 3 * 4 + 2) else { return false }
        put(UInt8(ascii: "\""))
        var offset = 0
        while offset + 3 <= bytes.count {
            let group =
                UInt32(bytes[offset]) << 16 | UInt32(bytes[offset + 1]) << 8
                | UInt32(bytes[offset + 2])
            putBase64(group, digitCount: 4)
            offset += 3
        }
        switch bytes.count - offset {
        case 1:
            putBase64(UInt32(bytes[offset]) << 16, digitCount: 2)
            put("==")
        case 2:
            putBase64(UInt32(bytes[offset]) << 16 | UInt32(bytes[offset + 1]) << 8, digitCount: 3)
            put("=")
        default:
            break
        }
        put(UInt8(ascii: "\""))
        return true
    }

    /// The first digits of a group of 24 bits.
    private mutating func putBase64(_ group: UInt32, digitCount: Int) {
        let digits: StaticString =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for index in 0..<digitCount {
            let sextet = group >> UInt32(18 - index * 6) & 63
            unsafe put(digits.utf8Start[Int(sextet)])
        }
    }
}
