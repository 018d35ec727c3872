// SPDX-License-Identifier: Apache-2.0

/// Says whether bytes are JSON (RFC 8259); for jsonb, whose strings have no `\u0000` and no half of
/// a surrogate pair.
struct JSONSyntax {
    private var bytes: [UInt8]
    private let isForJSONB: Bool
    private var at = 0

    static func isJSON(_ bytes: [UInt8], isForJSONB: Bool) -> Bool {
        var syntax = JSONSyntax(bytes: bytes, isForJSONB: isForJSONB)
        guard syntax.value(depth: 0) else { return false }
        syntax.blanks()
        return syntax.at == syntax.bytes.count
    }

    private init(bytes: [UInt8], isForJSONB: Bool) {
        self.bytes = bytes
        self.isForJSONB = isForJSONB
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func blanks() {
        while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { at += 1 }
    }

    private mutating func take(_ word: String) -> Bool {
        let word = Array(word.utf8)
        guard bytes[at...].starts(with: word) else { return false }
        at += word.count
        return true
    }

    private mutating func value(depth: Int) -> Bool {
        blanks()
        guard depth < 1_000, let first = next else { return false }
        switch first {
        case UInt8(ascii: "{"): return list("}", depth: depth, hasKeys: true)
        case UInt8(ascii: "["): return list("]", depth: depth, hasKeys: false)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return take("true")
        case UInt8(ascii: "f"): return take("false")
        case UInt8(ascii: "n"): return take("null")
        default: return number()
        }
    }

    private mutating func list(_ end: String, depth: Int, hasKeys: Bool) -> Bool {
        at += 1
        blanks()
        if take(end) { return true }
        while true {
            blanks()
            if hasKeys {
                guard string() else { return false }
                blanks()
                guard take(":") else { return false }
            }
            guard value(depth: depth + 1) else { return false }
            blanks()
            if take(end) { return true }
            guard take(",") else { return false }
        }
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while let byte = next {
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return true
            case 0..<0x20: return false
            case UInt8(ascii: "\\"):
                guard escape() else { return false }
            default: break
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard let byte = next else { return false }
        at += 1
        guard byte == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(byte) }
        guard let unit = unit() else { return false }
        guard isForJSONB else { return true }
        if (0xd800..<0xdc00).contains(unit) {
            guard take("\\u"), let low = self.unit() else { return false }
            return (0xdc00..<0xe000).contains(low)
        }
        return unit != 0 && !(0xdc00..<0xe000).contains(unit)
    }

    private mutating func unit() -> UInt16? {
        guard at + 4 <= bytes.count else { return nil }
        defer { at += 4 }
        guard bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-") else { return nil }
        return UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
    }

    private mutating func digits() -> Bool {
        let start = at
        while let byte = next, (0x30...0x39).contains(byte) { at += 1 }
        return at > start
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0"), !digits() { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }
}
