// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Values that are no messages.
extension JSONPass {
    /// Reads one value of `field` and writes it, with its tag where it needs one of its own. A
    /// default value that means the same as none is left out.
    mutating func value(of field: JSONField) throws(JSONStop) {
        let mark = output.count
        if !field.isPacked { try tag(field, wireType: field.wireType) }
        let isDefault: Bool
        switch field.kind {
        case .message: preconditionFailure("messages are entered")
        case .text: isDefault = try text()
        case .hex: isDefault = try hex()
        case .base64: isDefault = try base64()
        case .bool: isDefault = try bool()
        case .double: isDefault = try double()
        case .int32: isDefault = try signed(bits: 32, isZigZag: false)
        case .sint32: isDefault = try signed(bits: 32, isZigZag: true)
        case .int64: isDefault = try signed(bits: 64, isZigZag: false)
        case .enumeration: isDefault = try enumeration()
        case .uint32: isDefault = try varint(bits: 32)
        case .uint64: isDefault = try varint(bits: 64)
        case .fixed32:
            let number = UInt32(truncatingIfNeeded: try unsigned(bits: 32))
            try full { (output) throws(WireBuffer.Full) in try output.append(fixed: number) }
            isDefault = number == 0
        case .fixed64:
            let number = try unsigned(bits: 64)
            try full { (output) throws(WireBuffer.Full) in try output.append(fixed: number) }
            isDefault = number == 0
        case .sfixed64:
            let number = try integer(bits: 64)
            try full { (output) throws(WireBuffer.Full) in try output.append(fixed: number) }
            isDefault = number == 0
        }
        if isDefault, field.isImplicit { output.cut(to: mark) }
    }

    // MARK: Numbers

    private mutating func bool() throws(JSONStop) -> Bool {
        let isTrue = try read { (reader) throws(JSONFault) in try reader.take(literal: "true") }
        if !isTrue {
            let isFalse = try read { (reader) throws(JSONFault) in
                try reader.take(literal: "false")
            }
            guard isFalse else { throw .fault(reader.fault("expected true or false")) }
        }
        try full { (output) throws(WireBuffer.Full) in try output.append(isTrue ? 1 : 0) }
        return !isTrue
    }

    /// A number, which may stand in quotes.
    private mutating func numeral(_ problem: String) throws(JSONStop) -> JSONNumeral {
        guard reader.peek() == UInt8(ascii: "\"") else {
            return try read { (reader) throws(JSONFault) in try reader.number(problem) }
        }
        let string = try read { (reader) throws(JSONFault) in try reader.string(problem) }
        guard let (numeral, sizeBytes) = JSONNumeral.parse(string.content, from: 0),
            sizeBytes == string.content.count
        else { throw .fault(reader.fault(problem, at: string.offset)) }
        return numeral
    }

    private mutating func integer(bits: Int) throws(JSONStop) -> Int64 {
        _ = reader.peek()
        let offset = reader.offset
        let numeral = try numeral("expected a whole number")
        let limit = UInt64(1) << (bits - 1)
        guard let magnitude = numeral.magnitude,
            magnitude < limit || numeral.isNegative && magnitude == limit
        else { throw .fault(reader.fault("this is no whole number of \(bits) bits", at: offset)) }
        return numeral.isNegative
            ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)
    }

    private mutating func unsigned(bits: Int) throws(JSONStop) -> UInt64 {
        _ = reader.peek()
        let offset = reader.offset
        let numeral = try numeral("expected a whole number")
        guard let magnitude = numeral.magnitude, magnitude == 0 || !numeral.isNegative,
            bits == 64 || magnitude < UInt64(1) << bits
        else {
            throw .fault(
                reader.fault("this is no whole number of \(bits) bits without sign", at: offset))
        }
        return magnitude
    }

    private mutating func signed(bits: Int, isZigZag: Bool) throws(JSONStop) -> Bool {
        let number = try integer(bits: bits)
        let wire = UInt64(bitPattern: isZigZag ? number << 1 ^ number >> 63 : number)
        try full { (output) throws(WireBuffer.Full) in try output.append(varint: wire) }
        return number == 0
    }

    private mutating func varint(bits: Int) throws(JSONStop) -> Bool {
        let number = try unsigned(bits: bits)
        try full { (output) throws(WireBuffer.Full) in try output.append(varint: number) }
        return number == 0
    }

    private mutating func enumeration() throws(JSONStop) -> Bool {
        guard reader.peek() != UInt8(ascii: "\"") else {
            throw .fault(reader.fault("enumerations are written as numbers in OTLP/JSON"))
        }
        return try signed(bits: 32, isZigZag: false)
    }

    private mutating func double() throws(JSONStop) -> Bool {
        _ = reader.peek()
        let offset = reader.offset
        let number: Double
        if let special = try special() { number = special } else { number = try finite(at: offset) }
        try full { (output) throws(WireBuffer.Full) in try output.append(fixed: number.bitPattern) }
        // -0 is another value.
        return number.bitPattern == 0
    }

    private mutating func finite(at offset: Int) throws(JSONStop) -> Double {
        let numeral = try numeral("expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
        guard let number = numeral.double else {
            throw .fault(reader.fault("this number is too large for a double", at: offset))
        }
        return number
    }

    /// What JSON has no number for.
    private mutating func special() throws(JSONStop) -> Double? {
        for (literal, number) in JSONPass.specials {
            let isTaken = try read { (reader) throws(JSONFault) in reader.take(quoted: literal) }
            if isTaken { return number }
        }
        return nil
    }

    private static let specials: [(StaticString, Double)] = [
        ("\"NaN\"", .nan), ("\"Infinity\"", .infinity), ("\"-Infinity\"", -.infinity),
    ]

    // MARK: Strings

    private mutating func text() throws(JSONStop) -> Bool {
        let string = try string()
        try delimited { (pass) throws(JSONStop) in try pass.append(string) }
        return string.content.isEmpty
    }

    private mutating func string() throws(JSONStop) -> JSONReader.RawString {
        try read { (reader) throws(JSONFault) in try reader.string("expected a string") }
    }

    /// Bytes written as hexadecimal digits of either case (OTLP specification).
    private mutating func hex() throws(JSONStop) -> Bool {
        let string = try string()
        let mark = output.count
        try delimited { (pass) throws(JSONStop) in
            let start = pass.output.count
            try pass.append(string)
            guard unsafe pass.output.rewrite(from: start, TextDigits.decodeHex) else {
                throw .fault(
                    pass.reader.fault(
                        "expected hexadecimal digits, two for a byte",
                        at: string.offset))
            }
        }
        return output.count == mark + 1
    }

    /// Bytes as base64, in either alphabet, padded or not (JSON mapping of protobuf).
    private mutating func base64() throws(JSONStop) -> Bool {
        let string = try string()
        let mark = output.count
        try delimited { (pass) throws(JSONStop) in
            let start = pass.output.count
            try pass.append(string)
            guard unsafe pass.output.rewrite(from: start, TextDigits.decodeBase64) else {
                throw .fault(pass.reader.fault("expected base64", at: string.offset))
            }
        }
        return output.count == mark + 1
    }

    private mutating func append(_ string: JSONReader.RawString) throws(JSONStop) {
        if string.hasEscapes { return try unescape(string) }
        try full { (output) throws(WireBuffer.Full) in try output.append(string.content) }
    }

    /// What `body` writes, with its length before it.
    private mutating func delimited(
        _ body: (inout JSONPass) throws(JSONStop) -> Void
    ) throws(JSONStop) {
        let length: WireBuffer.Length
        do throws(WireBuffer.Full) {
            length = try output.openLength(isWide: false)
        } catch {
            throw .full(error)
        }
        try body(&self)
        try full { (output) throws(WireBuffer.Full) in try output.close(length) }
    }

    /// Writes a string without its escapes (RFC 8259 §7), in UTF-8. Half of a surrogate pair
    /// becomes the three bytes that UTF-8 forbids, which the scan finds.
    mutating func unescape(_ string: JSONReader.RawString) throws(JSONStop) {
        let content = string.content
        var offset = 0
        var plainStart = 0
        while offset < content.count {
            guard content[offset] == UInt8(ascii: "\\") else {
                offset += 1
                continue
            }
            let plain = content.slice(offset: plainStart, count: offset - plainStart)
            guard let escape = JSONEscape.read(content, at: offset) else {
                throw .fault(
                    reader.fault("this is no JSON escape", at: string.offset + offset))
            }
            try full { (output) throws(WireBuffer.Full) in
                try output.append(plain)
                try output.append(codePoint: escape.codePoint)
            }
            offset += escape.sizeBytes
            plainStart = offset
        }
        let rest = content.slice(offset: plainStart, count: content.count - plainStart)
        try full { (output) throws(WireBuffer.Full) in try output.append(rest) }
    }
}

extension WireBuffer {
    /// Appends `codePoint` as UTF-8 would write it, surrogates as well.
    fileprivate mutating func append(codePoint: UInt32) throws(Full) {
        func continuation(_ shift: UInt32) -> UInt8 {
            0x80 | UInt8(truncatingIfNeeded: codePoint >> shift) & 0x3f
        }
        switch codePoint {
        case ..<0x80:
            try append(UInt8(codePoint))
        case ..<0x800:
            try append(0xc0 | UInt8(codePoint >> 6))
            try append(continuation(0))
        case ..<0x1_0000:
            try append(0xe0 | UInt8(codePoint >> 12))
            try append(continuation(6))
            try append(continuation(0))
        default:
            try append(0xf0 | UInt8(codePoint >> 18))
            try append(continuation(12))
            try append(continuation(6))
            try append(continuation(0))
        }
    }
}
