// SPDX-License-Identifier: Apache-2.0
package import Base

/// Bytes that are written as digits, decoded in place. Each returns how many bytes came out, or nil
/// where the digits are none.
package enum TextDigits {
    package static func decodeHex(_ text: UnsafeMutableRawBufferPointer) -> Int? {
        guard text.count.isMultiple(of: 2) else { return nil }
        for index in 0..<text.count / 2 {
            guard let high = unsafe hexDigit(text[2 * index]),
                let low = unsafe hexDigit(text[2 * index + 1])
            else { return nil }
            unsafe text[index] = high << 4 | low
        }
        return text.count / 2
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// RFC 4648 §4 and §5, padding optional.
    package static func decodeBase64(_ text: UnsafeMutableRawBufferPointer) -> Int? {
        var digitCount = text.count
        if digitCount.isMultiple(of: 4) {
            for _ in 0..<2 where digitCount > 0 {
                if unsafe text[digitCount - 1] == UInt8(ascii: "=") { digitCount -= 1 }
            }
        }
        guard digitCount % 4 != 1 else { return nil }
        var group: UInt32 = 0
        var written = 0
        for index in 0..<digitCount {
            guard let digit = unsafe base64Digit(text[index]) else { return nil }
            group = group << 6 | UInt32(digit)
            // Every digit but the first of four completes a byte.
            let bitsLeft = (6 * (index % 4 + 1)) % 8
            if index % 4 > 0 {
                unsafe text[written] = UInt8(truncatingIfNeeded: group >> UInt32(bitsLeft))
                written += 1
            }
        }
        return written
    }

    private static func base64Digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}

/// One escape of a JSON string (RFC 8259 §7).
package struct JSONEscape {
    /// May be half of a surrogate pair, where the other half is missing.
    package let codePoint: UInt32
    package let sizeBytes: Int

    /// The escape at `offset`, both halves of a surrogate pair together; nil where it is none.
    package static func read(_ text: ByteSlice, at offset: Int) -> JSONEscape? {
        guard offset + 1 < text.count else { return nil }
        let codePoint: UInt32
        switch text[offset + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            codePoint = UInt32(text[offset + 1])
        case UInt8(ascii: "b"): codePoint = 0x08
        case UInt8(ascii: "f"): codePoint = 0x0c
        case UInt8(ascii: "n"): codePoint = 0x0a
        case UInt8(ascii: "r"): codePoint = 0x0d
        case UInt8(ascii: "t"): codePoint = 0x09
        case UInt8(ascii: "u"):
            guard let first = unit(text, at: offset) else { return nil }
            if first & 0xfc00 == 0xd800, let second = unit(text, at: offset + 6),
                second & 0xfc00 == 0xdc00
            {
                let codePoint = 0x1_0000 + (first & 0x3ff) << 10 + second & 0x3ff
                return JSONEscape(codePoint: codePoint, sizeBytes: 12)
            }
            return JSONEscape(codePoint: first, sizeBytes: 6)
        default: return nil
        }
        return JSONEscape(codePoint: codePoint, sizeBytes: 2)
    }

    /// The number of a `\uXXXX` at `offset`.
    private static func unit(_ text: ByteSlice, at offset: Int) -> UInt32? {
        guard offset + 6 <= text.count, text[offset] == UInt8(ascii: "\\"),
            text[offset + 1] == UInt8(ascii: "u")
        else { return nil }
        var value: UInt32 = 0
        for index in 2..<6 {
            guard let digit = TextDigits.hexDigit(text[offset + index]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
