// SPDX-License-Identifier: Apache-2.0
package import Base

/// JSON (RFC 8259) as bytes, written from front to back without a tree in between.
///
/// Commas are its own affair. Cost: appends to one array.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init() {}

    /// Forgets what was written and keeps the memory: for the lines of a stream.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    /// Ends a line of a stream: the next value stands on its own.
    mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    // MARK: Containers

    package mutating func object<Failure: Error>(
        _ members: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        open("{")
        try members(&self)
        close("}")
    }

    package mutating func list<Failure: Error>(
        _ elements: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        open("[")
        try elements(&self)
        close("]")
    }

    /// The name of the member that is written next.
    package mutating func key(_ name: String) {
        separate()
        appendQuoted(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values

    package mutating func text(_ value: String) {
        separate()
        appendQuoted(value)
    }

    /// UTF-8.
    package mutating func text(_ value: ByteSlice) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        unsafe appendEscaped(value.buffer)
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func number(_ value: Int64) {
        separate()
        bytes.append(contentsOf: String(value).utf8)
    }

    /// As a string of digits, the way in which JSON carries 64 bits without loss.
    package mutating func digits(_ value: some BinaryInteger) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: String(value).utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    /// As a number; null where JSON has none for it.
    package mutating func decimal(_ value: Double) {
        guard value.isFinite else { return null() }
        separate()
        bytes.append(contentsOf: "\(value)".utf8)
    }

    /// As a number, or as its name where JSON has none for it, as OTLP writes it.
    mutating func double(_ value: Double) {
        if value.isFinite { decimal(value) } else { text(value.wireText) }
    }

    package mutating func truth(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    package mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    /// JSON text that is known to be some.
    mutating func literal(_ value: String) {
        separate()
        bytes.append(contentsOf: value.utf8)
    }

    /// JSON text as PostgreSQL made it.
    package mutating func json(_ value: ByteSlice) {
        separate()
        unsafe bytes.append(contentsOf: value.buffer)
    }

    /// JSON text.
    package mutating func json(_ value: String) {
        separate()
        bytes.append(contentsOf: value.utf8)
    }

    /// Bytes as lower-case hexadecimal digits.
    package mutating func hex(_ value: ByteSlice) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        for index in 0..<value.count {
            bytes.append(JSONWriter.digits[Int(value[index] >> 4)])
            bytes.append(JSONWriter.digits[Int(value[index] & 15)])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    // MARK: Text

    private static let digits = Array("0123456789abcdef".utf8)

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { unsafe appendEscaped(UnsafeRawBufferPointer($0)) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// What is copied in one piece ends before a character that has to be escaped.
    private mutating func appendEscaped(_ text: UnsafeRawBufferPointer) {
        var start = 0
        for index in 0..<text.count {
            let byte = unsafe text[index]
            let isPlain = byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            if isPlain { continue }
            unsafe bytes.append(contentsOf: text[start..<index])
            start = index + 1
            bytes.append(UInt8(ascii: "\\"))
            if byte >= 0x20 {
                bytes.append(byte)
            } else {
                bytes.append(contentsOf: "u00".utf8)
                bytes.append(JSONWriter.digits[Int(byte >> 4)])
                bytes.append(JSONWriter.digits[Int(byte & 15)])
            }
        }
        unsafe bytes.append(contentsOf: text[start...])
    }
}

extension Double {
    /// `0.25`, `1e+300`, `-0.0`, `NaN`, `Infinity`, `-Infinity`.
    var wireText: String {
        guard !isFinite else { return "\(self)" }
        return isNaN ? "NaN" : self < 0 ? "-Infinity" : "Infinity"
    }
}
