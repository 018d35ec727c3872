// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// A JSON text as a tree, for the bodies of requests, which are small.
///
/// Numbers keep every digit: those that an Int64 can say are one, the rest are doubles.
package indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case list([JSONValue])
    case object([JSONMember])

    /// Levels of lists and objects.
    package static let depthMax = 64

    /// Reads `bytes`, which hold one value and nothing else. Errors: `invalidParameter`, for names
    /// that are there twice as well.
    package init(_ bytes: [UInt8]) throws(QueryFailure) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw QueryFailure(.invalidParameter, "the body is not UTF-8", pointer: "")
        }
        do throws(JSONFault) {
            self = try JSONValue.read(Array(text.utf8))
        } catch {
            throw QueryFailure(
                .invalidParameter, "the body is no JSON at byte \(error.offset): \(error.problem)",
                pointer: "")
        }
    }

    private static func read(_ bytes: [UInt8]) throws(JSONFault) -> JSONValue {
        let result = unsafe bytes.withUnsafeBytes { buffer in
            var reader = JSONTreeReader(unsafe ByteSlice(buffer))
            return Result { () throws(JSONFault) in try reader.whole() }
        }
        return try result.get()
    }

    /// For messages.
    var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .double: "a number"
        case .string: "a string"
        case .list: "a list"
        case .object: "an object"
        }
    }
}

/// One member of an object.
package struct JSONMember: Sendable, Equatable {
    package let name: String
    package let value: JSONValue
}

/// Makes the tree out of tokens.
@safe
private struct JSONTreeReader {
    private var reader: JSONReader

    init(_ text: ByteSlice) { reader = JSONReader(text) }

    mutating func whole() throws(JSONFault) -> JSONValue {
        let value = try value(depth: 0)
        guard reader.peek() == nil else { throw reader.fault("there is more behind the value") }
        return value
    }

    private mutating func value(depth: Int) throws(JSONFault) -> JSONValue {
        switch reader.peek() {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < JSONValue.depthMax else {
                throw reader.fault("values nest deeper than \(JSONValue.depthMax) levels")
            }
            return reader.take(UInt8(ascii: "{"))
                ? .object(try members(depth: depth + 1)) : .list(try elements(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try text("expected a value"))
        case UInt8(ascii: "t"):
            _ = try reader.take(literal: "true")
            return .bool(true)
        case UInt8(ascii: "f"):
            _ = try reader.take(literal: "false")
            return .bool(false)
        case UInt8(ascii: "n"):
            _ = try reader.take(literal: "null")
            return .null
        default: return try number()
        }
    }

    private mutating func number() throws(JSONFault) -> JSONValue {
        let offset = reader.offset
        let numeral = try reader.number("expected a value")
        if let magnitude = numeral.magnitude {
            let isNegative = numeral.isNegative && magnitude > 0
            let whole =
                isNegative
                ? (magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil)
                : Int64(exactly: magnitude)
            if let whole { return .int(whole) }
        }
        guard let double = numeral.double else {
            throw reader.fault("a number is too large", at: offset)
        }
        return .double(double)
    }

    private mutating func elements(depth: Int) throws(JSONFault) -> [JSONValue] {
        _ = reader.take(UInt8(ascii: "["))
        if reader.take(UInt8(ascii: "]")) { return [] }
        var elements: [JSONValue] = []
        repeat { elements.append(try value(depth: depth)) } while reader.take(UInt8(ascii: ","))
        try reader.expect(UInt8(ascii: "]"), "expected , or ]")
        return elements
    }

    private mutating func members(depth: Int) throws(JSONFault) -> [JSONMember] {
        if reader.take(UInt8(ascii: "}")) { return [] }
        var members: [JSONMember] = []
        var names: Set<String> = []
        repeat {
            let offset = reader.offset
            let name = try text("expected a name in quotes")
            guard names.insert(name).inserted else {
                throw reader.fault("a name is there twice", at: offset)
            }
            try reader.expect(UInt8(ascii: ":"), "expected : behind a name")
            members.append(JSONMember(name: name, value: try value(depth: depth)))
        } while reader.take(UInt8(ascii: ","))
        try reader.expect(UInt8(ascii: "}"), "expected , or }")
        return members
    }

    private mutating func text(_ problem: String) throws(JSONFault) -> String {
        let raw = try reader.string(problem)
        guard raw.hasEscapes else { return raw.content.string }
        var text = ""
        var plainStart = 0
        var offset = 0
        while offset < raw.content.count {
            guard raw.content[offset] == UInt8(ascii: "\\") else {
                offset += 1
                continue
            }
            guard let escape = JSONEscape.read(raw.content, at: offset),
                let scalar = Unicode.Scalar(escape.codePoint)
            else { throw reader.fault("this is no JSON escape", at: raw.offset + offset) }
            text += raw.content.slice(offset: plainStart, count: offset - plainStart).string
            text.unicodeScalars.append(scalar)
            offset += escape.sizeBytes
            plainStart = offset
        }
        return text
            + raw.content.slice(offset: plainStart, count: raw.content.count - plainStart).string
    }
}
