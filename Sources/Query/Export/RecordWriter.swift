// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Writes items as lines of named fields.
protocol RecordWriter {
    mutating func record(_ fields: (inout Self) -> Void)

    // The value of the field `name`; nil is null.

    mutating func field(_ name: String, text: ByteSlice?)
    mutating func field(_ name: String, word: String?)
    mutating func field(_ name: String, number: Int64?)
    /// 64 bits, of which a number in JSON would lose digits.
    mutating func field(_ name: String, digits: Int64?)
    mutating func field(_ name: String, hex: ByteSlice?)
    /// One that JSON has no number for is its name: `NaN`, `Infinity`, `-Infinity`.
    mutating func field(_ name: String, double: Double?)
    /// JSON text.
    mutating func field(_ name: String, json: [UInt8]?)
    mutating func field(_ name: String, truth: Bool)
    /// A value of any kind as JSON text, which is a string where `text` is there.
    mutating func field(_ name: String, json: [UInt8]?, text: ByteSlice?)
    /// Fields that the kind of item does not have.
    mutating func lacks(_ names: [String])
}

/// An object on a line of its own.
extension JSONWriter: RecordWriter {
    mutating func record(_ fields: (inout JSONWriter) -> Void) {
        object(fields)
        endLine()
    }

    mutating func field(_ name: String, text value: ByteSlice?) {
        key(name)
        if let value { text(value) } else { null() }
    }

    mutating func field(_ name: String, word: String?) { member(name, word) }
    mutating func field(_ name: String, number: Int64?) { member(name, number) }
    mutating func field(_ name: String, digits: Int64?) { member(name, digits: digits) }

    mutating func field(_ name: String, hex value: ByteSlice?) {
        key(name)
        if let value { hex(value) } else { null() }
    }

    mutating func field(_ name: String, json value: [UInt8]?) {
        key(name)
        guard let value else { return null() }
        unsafe value.withUnsafeBytes { json(unsafe ByteSlice($0)) }
    }

    mutating func field(_ name: String, double value: Double?) {
        key(name)
        if let value { double(value) } else { null() }
    }

    mutating func lacks(_ names: [String]) {}

    mutating func field(_ name: String, truth value: Bool) {
        key(name)
        truth(value)
    }

    mutating func field(_ name: String, json: [UInt8]?, text: ByteSlice?) {
        if let text { field(name, text: text) } else { field(name, json: json) }
    }
}

/// A record of RFC 4180: fields in their order, without their names. What is null is empty.
struct CSVWriter: RecordWriter {
    private(set) var bytes: [UInt8] = []
    private var isFirst = true

    private static let comma = UInt8(ascii: ",")
    private static let quote = UInt8(ascii: "\"")

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func record(_ fields: (inout CSVWriter) -> Void) {
        isFirst = true
        fields(&self)
        bytes.append(contentsOf: "\r\n".utf8)
    }

    /// The head.
    mutating func names(_ names: [String]) {
        record { writer in for name in names { writer.field("", word: name) } }
    }

    mutating func field(_ name: String, text: ByteSlice?) {
        separate()
        if let text { unsafe append(text.buffer) }
    }

    mutating func field(_ name: String, word: String?) {
        separate()
        guard var word else { return }
        word.withUTF8 { unsafe append(UnsafeRawBufferPointer($0)) }
    }

    mutating func field(_ name: String, number: Int64?) {
        separate()
        if let number { bytes.append(contentsOf: String(number).utf8) }
    }

    mutating func field(_ name: String, digits: Int64?) { field(name, number: digits) }

    mutating func field(_ name: String, hex: ByteSlice?) {
        separate()
        guard let hex else { return }
        for index in 0..<hex.count {
            for digit in [hex[index] >> 4, hex[index] & 15] {
                bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
            }
        }
    }

    mutating func field(_ name: String, json: [UInt8]?) {
        separate()
        guard let json else { return }
        unsafe json.withUnsafeBytes { unsafe append($0) }
    }

    mutating func field(_ name: String, double: Double?) {
        field(name, word: double.map { $0.wireText })
    }

    /// As null.
    mutating func lacks(_ names: [String]) { for _ in names { separate() } }

    mutating func field(_ name: String, truth: Bool) {
        separate()
        bytes.append(contentsOf: (truth ? "true" : "false").utf8)
    }

    /// A string as it is, without the quotes of JSON.
    mutating func field(_ name: String, json: [UInt8]?, text: ByteSlice?) {
        if let text { field(name, text: text) } else { field(name, json: json) }
    }

    private mutating func separate() {
        if !isFirst { bytes.append(CSVWriter.comma) }
        isFirst = false
    }

    /// In quotes where it has to be, and where it is empty: nothing between two commas is null.
    private mutating func append(_ text: UnsafeRawBufferPointer) {
        let isPlain =
            unsafe !text.isEmpty
            && text.allSatisfy {
                $0 != CSVWriter.comma && $0 != CSVWriter.quote && $0 != 0x0d && $0 != 0x0a
            }
        if isPlain {
            unsafe bytes.append(contentsOf: text)
            return
        }
        bytes.append(CSVWriter.quote)
        for index in 0..<text.count {
            let byte = unsafe text[index]
            if byte == CSVWriter.quote { bytes.append(byte) }
            bytes.append(byte)
        }
        bytes.append(CSVWriter.quote)
    }
}
