// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A JSON text (RFC 8259) as a tree that keeps numbers as they are written: in columns, `5` is an
/// integer and `5.0` a double (docs/attributes.md).
indirect enum StoredJSON: Sendable, Equatable {
    case null
    case bool(Bool)
    /// As it is written.
    case number(String)
    case string(String)
    case list([StoredJSON])
    case object([Member])

    struct Member: Sendable, Equatable {
        let name: String
        let value: StoredJSON
    }

    /// What is stored nests up to 64 levels of attribute values, in levels of their own.
    static let depthMax = 256

    /// Nil where `text` is not JSON, nests deeper than `depthMax`, or has more behind its value.
    init?(_ text: ByteSlice) {
        var reader = StoredJSONReader(text)
        guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
        self = value
    }

    init?(_ text: String) {
        let bytes = Array(text.utf8)
        let value = unsafe bytes.withUnsafeBytes { StoredJSON(unsafe ByteSlice($0)) }
        guard let value else { return nil }
        self = value
    }

    /// Of an object, in their order; none for anything else.
    var members: [Member] {
        if case .object(let members) = self { return members }
        return []
    }

    /// Of a list; none for anything else.
    var elements: [StoredJSON] {
        if case .list(let elements) = self { return elements }
        return []
    }

    /// The member called `name` of an object.
    subscript(name: String) -> StoredJSON? { members.first { $0.name == name }?.value }

    /// Of a string; empty for anything else.
    var text: String {
        if case .string(let text) = self { return text }
        return ""
    }

    /// Of a number that is written with digits alone; nil for anything else.
    var unsigned: UInt64? {
        if case .number(let digits) = self { return UInt64(digits) }
        return nil
    }
}

/// Reads one JSON text from front to back.
@safe
private struct StoredJSONReader {
    private let text: ByteSlice
    private var offset = 0

    init(_ text: ByteSlice) { self.text = text }

    var isAtEnd: Bool {
        mutating get { peek() == nil }
    }

    mutating func value(depth: Int) -> StoredJSON? {
        guard depth <= StoredJSON.depthMax, let first = peek() else { return nil }
        switch first {
        case UInt8(ascii: "{"): return members(depth: depth + 1)
        case UInt8(ascii: "["): return elements(depth: depth + 1)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return take(literal: "true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return take(literal: "false") ? .bool(false) : nil
        case UInt8(ascii: "n"): return take(literal: "null") ? .null : nil
        default: return number()
        }
    }

    private mutating func members(depth: Int) -> StoredJSON? {
        _ = take(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return .object([]) }
        var members: [StoredJSON.Member] = []
        repeat {
            guard peek() == UInt8(ascii: "\""), let name = string(), take(UInt8(ascii: ":")),
                let value = value(depth: depth)
            else { return nil }
            members.append(StoredJSON.Member(name: name, value: value))
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}")) ? .object(members) : nil
    }

    private mutating func elements(depth: Int) -> StoredJSON? {
        _ = take(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return .list([]) }
        var elements: [StoredJSON] = []
        repeat {
            guard let element = value(depth: depth) else { return nil }
            elements.append(element)
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]")) ? .list(elements) : nil
    }

    // MARK: Tokens

    private mutating func peek() -> UInt8? {
        while offset < text.count {
            let byte = text[offset]
            guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
            offset += 1
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        offset += 1
        return true
    }

    private mutating func take(literal: String) -> Bool {
        let bytes = Array(literal.utf8)
        guard bytes.count <= text.count - offset,
            (0..<bytes.count).allSatisfy({ text[offset + $0] == bytes[$0] })
        else { return false }
        offset += bytes.count
        return true
    }

    /// RFC 8259, section 6.
    private mutating func number() -> StoredJSON? {
        let start = offset
        _ = takeOne(of: "-")
        if !takeOne(of: "0"), takeDigits() == 0 { return nil }
        if takeOne(of: "."), takeDigits() == 0 { return nil }
        if takeOne(of: "eE") {
            _ = takeOne(of: "+-")
            if takeDigits() == 0 { return nil }
        }
        return .number(text.slice(offset: start, count: offset - start).string)
    }

    private mutating func takeOne(of choices: String) -> Bool {
        guard offset < text.count, choices.utf8.contains(text[offset]) else { return false }
        offset += 1
        return true
    }

    private mutating func takeDigits() -> Int {
        let start = offset
        while offset < text.count, text[offset] &- 0x30 <= 9 { offset += 1 }
        return offset - start
    }

    /// The quote that begins it comes next.
    private mutating func string() -> String? {
        offset += 1
        var bytes: [UInt8] = []
        var plainStart = offset
        while offset < text.count {
            let byte = text[offset]
            switch byte {
            case UInt8(ascii: "\""):
                let last = text.slice(offset: plainStart, count: offset - plainStart)
                offset += 1
                if bytes.isEmpty { return last.string }
                unsafe bytes.append(contentsOf: last.buffer)
                return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"):
                let plain = text.slice(offset: plainStart, count: offset - plainStart)
                unsafe bytes.append(contentsOf: plain.buffer)
                offset += 1
                guard let scalar = escaped() else { return nil }
                bytes.append(contentsOf: String(Character(scalar)).utf8)
                plainStart = offset
            case 0..<0x20: return nil
            default: offset += 1
            }
        }
        return nil
    }

    /// What comes behind a backslash; halves of surrogate pairs are replaced.
    private mutating func escaped() -> Unicode.Scalar? {
        guard offset < text.count else { return nil }
        defer { offset += 1 }
        switch text[offset] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let unit = codeUnit(at: offset + 1) else { return nil }
            offset += 4
            if unit & 0xfc00 == 0xd800, let low = lowSurrogate(at: offset + 1) {
                offset += 6
                return Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00))
            }
            return Unicode.Scalar(unit) ?? "\u{fffd}"
        default: return nil
        }
    }

    private func lowSurrogate(at offset: Int) -> UInt32? {
        guard offset + 1 < text.count, text[offset] == UInt8(ascii: "\\"),
            text[offset + 1] == UInt8(ascii: "u"), let unit = codeUnit(at: offset + 2),
            unit & 0xfc00 == 0xdc00
        else { return nil }
        return unit
    }

    private func codeUnit(at offset: Int) -> UInt32? {
        guard offset + 4 <= text.count else { return nil }
        return UInt32(text.slice(offset: offset, count: 4).string, radix: 16)
    }
}
