// SPDX-License-Identifier: Apache-2.0
package import Base

/// What is wrong with a text, and where.
package struct JSONFault: Error, Equatable {
    /// Bytes before it.
    package let offset: Int
    /// Half a sentence; never repeats the text.
    package let problem: String
}

/// Reads the tokens of a JSON text (RFC 8259) one after the other.
///
/// Ownership: the text is borrowed. Cost: looks at each byte once, strings twice; allocates only
/// for numbers that are neither whole nor short.
@safe
package struct JSONReader {
    private let text: ByteSlice
    /// Bytes that were taken.
    package private(set) var offset = 0

    /// Levels of what is skipped.
    static let skippedDepthMax = 64

    package init(_ text: ByteSlice) { self.text = text }

    /// A fault here, or at `offset`.
    package func fault(_ problem: String, at offset: Int? = nil) -> JSONFault {
        JSONFault(offset: offset ?? self.offset, problem: problem)
    }

    // MARK: Structure

    /// The next byte that is no white space, without taking it; nil at the end.
    @inline(__always)
    package mutating func peek() -> UInt8? {
        while offset < text.count {
            let byte = text[offset]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else {
                return byte
            }
            offset &+= 1
        }
        return nil
    }

    /// Takes `byte` if it comes next.
    @inline(__always)
    package mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        offset &+= 1
        return true
    }

    /// Takes `byte`, which has to come next.
    package mutating func expect(_ byte: UInt8, _ problem: String) throws(JSONFault) {
        guard take(byte) else {
            throw fault(offset < text.count ? problem : "the text ends too early")
        }
    }

    /// Takes `literal` if it comes next.
    package mutating func take(literal: StaticString) throws(JSONFault) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard unsafe peek() == literal.utf8Start.pointee else { return false }
        guard count <= text.count - offset,
            unsafe text.slice(offset: offset, count: count).elementsEqual(
                ByteSlice(base: literal.utf8Start, count: count))
        else { throw fault("this is no JSON value") }
        offset += count
        return true
    }

    /// Takes `literal`, a string with its quotes, if it comes next.
    mutating func take(quoted literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard peek() == UInt8(ascii: "\""), count <= text.count - offset,
            unsafe text.slice(offset: offset, count: count).elementsEqual(
                ByteSlice(base: literal.utf8Start, count: count))
        else { return false }
        offset += count
        return true
    }

    // MARK: Strings

    /// A string as it stands in the text.
    package struct RawString {
        /// Between the quotes.
        package let content: ByteSlice
        package let hasEscapes: Bool
        /// Of `content`.
        package let offset: Int
    }

    /// Takes a string, which has to come next. Its escapes stay as they are.
    package mutating func string(_ problem: String) throws(JSONFault) -> RawString {
        try expect(UInt8(ascii: "\""), problem)
        let start = offset
        var hasEscapes = false
        while offset < text.count {
            let byte = text[offset]
            if byte == UInt8(ascii: "\"") {
                let content = text.slice(offset: start, count: offset - start)
                offset += 1
                return RawString(content: content, hasEscapes: hasEscapes, offset: start)
            }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                offset &+= 1
            } else if byte < 0x20 {
                throw fault("a control character in a string must be escaped")
            }
            offset &+= 1
        }
        offset = text.count
        throw fault("a string does not end")
    }

    // MARK: Numbers

    /// A number as it stands in the text, which must be one (RFC 8259 §6).
    package mutating func number(_ problem: String) throws(JSONFault) -> JSONNumeral {
        guard let first = peek(), first == UInt8(ascii: "-") || JSONNumeral.isDigit(first) else {
            throw fault(offset < text.count ? problem : "the text ends too early")
        }
        let start = offset
        guard let (numeral, sizeBytes) = JSONNumeral.parse(text, from: start) else {
            throw fault("this is no JSON number")
        }
        offset += sizeBytes
        return numeral
    }

    // MARK: Skipping

    /// Passes over one value of whatever kind, which must be well-formed.
    mutating func skipValue() throws(JSONFault) {
        // A bit for each level that is an object.
        var objects: UInt64 = 0
        var depth = 0
        while true {
            if try skipOpening(&objects, &depth) { continue }
            // A value has ended: go on behind it.
            while true {
                if depth == 0 { return }
                let isObject = objects & 1 == 1
                if take(UInt8(ascii: ",")) {
                    if isObject { try skipKey() }
                    break
                }
                try expect(
                    UInt8(ascii: isObject ? "}" : "]"),
                    isObject ? "expected , or }" : "expected , or ]")
                depth -= 1
                objects >>= 1
            }
        }
    }

    /// Passes over a scalar or an empty container, and returns false; or enters a container.
    private mutating func skipOpening(
        _ objects: inout UInt64, _ depth: inout Int
    ) throws(JSONFault) -> Bool {
        switch peek() {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard depth < JSONReader.skippedDepthMax else {
                throw fault("values nest deeper than \(JSONReader.skippedDepthMax) levels")
            }
            let isObject = take(UInt8(ascii: "{"))
            if !isObject { offset += 1 }
            if take(UInt8(ascii: isObject ? "}" : "]")) { return false }
            depth += 1
            objects = objects << 1 | (isObject ? 1 : 0)
            if isObject { try skipKey() }
            return true
        case UInt8(ascii: "\""):
            try skipString("expected a value")
        case UInt8(ascii: "t"):
            _ = try take(literal: "true")
        case UInt8(ascii: "f"):
            _ = try take(literal: "false")
        case UInt8(ascii: "n"):
            _ = try take(literal: "null")
        default:
            _ = try number("expected a value")
        }
        return false
    }

    private mutating func skipKey() throws(JSONFault) {
        try skipString("expected a key in quotes")
        try expect(UInt8(ascii: ":"), "expected : behind a key")
    }

    /// Nobody reads it, but it has to be one.
    private mutating func skipString(_ problem: String) throws(JSONFault) {
        let string = try string(problem)
        guard string.hasEscapes else { return }
        var offset = 0
        while offset < string.content.count {
            guard string.content[offset] == UInt8(ascii: "\\") else {
                offset += 1
                continue
            }
            guard let escape = JSONEscape.read(string.content, at: offset) else {
                throw fault("this is no JSON escape", at: string.offset + offset)
            }
            offset += escape.sizeBytes
        }
    }
}
