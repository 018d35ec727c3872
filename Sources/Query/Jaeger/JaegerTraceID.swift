// SPDX-License-Identifier: Apache-2.0

extension TraceID {
    /// A trace id in any form that Jaeger's clients send: up to 32 hexadecimal digits without
    /// leading zeros, in either case, or the 16 bytes in base64, of either alphabet.
    package init?(jaeger written: String) {
        let bytes = Array(written.utf8)
        if (1...32).contains(bytes.count) {
            let padded = String(repeating: "0", count: 32 - bytes.count) + written
            if let id = TraceID(padded) {
                self = id
                return
            }
        }
        guard let hex = TraceID.hex(ofBase64: bytes), let id = TraceID(hex) else { return nil }
        self = id
    }

    /// Of 16 bytes: 22 digits, of which the last says 2 bits, and two of padding or none.
    private static func hex(ofBase64 text: [UInt8]) -> String? {
        let padding = Array("==".utf8)
        let digits = text.suffix(2) == padding[...] ? text.dropLast(2) : text[...]
        guard digits.count == 22 else { return nil }
        var bits: [UInt8] = []
        for digit in digits {
            guard let value = value(ofBase64: digit) else { return nil }
            bits.append(value)
        }
        var hex = ""
        for index in 0..<32 {
            // Digit `index` of 4 bits lies in one or two digits of 6 bits.
            let bit = index * 4
            let pair = UInt16(bits[bit / 6]) << 6 | UInt16(bit / 6 + 1 < 22 ? bits[bit / 6 + 1] : 0)
            hex += String(pair >> UInt16(8 - bit % 6) & 15, radix: 16)
        }
        return hex
    }

    private static func value(ofBase64 digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
