// SPDX-License-Identifier: Apache-2.0

/// Writes protobuf wire format, and remembers where the parts lie that change from request to
/// request.
///
/// Source: Protocol Buffers, Encoding. A sub-message is written on its own and then copied behind
/// its length, with the offsets noted inside it shifted.
struct WireWriter {
    private(set) var bytes: [UInt8] = []
    /// Offsets noted by `mark`, in order.
    var marks: [Mark] = []

    struct Mark {
        enum Content {
            case traceID, spanID, parentSpanID, time, endTime
            case resourceNumber, operationNumber, spanKind
        }
        let content: Content
        var offset: Int
        /// Which item of the request it belongs to, counted from 0.
        let item: Int
    }

    mutating func varint(_ field: Int, _ value: UInt64) {
        tag(field, wireType: 0)
        rawVarint(value)
    }

    mutating func fixed64(_ field: Int, _ value: UInt64) {
        tag(field, wireType: 1)
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func fixed32(_ field: Int, _ value: UInt32) {
        tag(field, wireType: 5)
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func double(_ field: Int, _ value: Double) { fixed64(field, value.bitPattern) }

    mutating func string(_ field: Int, _ value: String) {
        tag(field, wireType: 2)
        rawVarint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    /// A bytes field of `count` zeros, to be filled in for each request.
    mutating func placeholder(
        _ field: Int, count: Int, _ content: Mark.Content, item: Int
    ) {
        tag(field, wireType: 2)
        rawVarint(UInt64(count))
        marks.append(Mark(content: content, offset: bytes.count, item: item))
        bytes.append(contentsOf: repeatElement(0, count: count))
    }

    /// A fixed64 field to be filled in for each request.
    mutating func timePlaceholder(_ field: Int, _ content: Mark.Content, item: Int) {
        tag(field, wireType: 1)
        marks.append(Mark(content: content, offset: bytes.count, item: item))
        bytes.append(contentsOf: repeatElement(0, count: 8))
    }

    /// Decimal digits of a number that is to be filled in.
    static let digitCount = 8

    /// A string of `prefix` and digits to be filled in for each request.
    mutating func numbered(_ field: Int, _ prefix: String, _ content: Mark.Content, item: Int) {
        tag(field, wireType: 2)
        rawVarint(UInt64(prefix.utf8.count + WireWriter.digitCount))
        bytes.append(contentsOf: prefix.utf8)
        marks.append(Mark(content: content, offset: bytes.count, item: item))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: WireWriter.digitCount))
    }

    /// A varint field below 128 to be filled in for each request.
    mutating func smallPlaceholder(_ field: Int, _ content: Mark.Content, item: Int) {
        tag(field, wireType: 0)
        marks.append(Mark(content: content, offset: bytes.count, item: item))
        bytes.append(0)
    }

    /// A sub-message written by `body`.
    mutating func message(_ field: Int, _ body: (inout WireWriter) -> Void) {
        var inner = WireWriter()
        body(&inner)
        tag(field, wireType: 2)
        rawVarint(UInt64(inner.bytes.count))
        for mark in inner.marks {
            marks.append(
                Mark(content: mark.content, offset: mark.offset + bytes.count, item: mark.item))
        }
        bytes.append(contentsOf: inner.bytes)
    }

    /// A KeyValue in `field` whose value is a string.
    mutating func attribute(_ field: Int, _ key: String, _ value: String) {
        message(field) { pair in
            pair.string(1, key)
            pair.message(2) { $0.string(1, value) }
        }
    }

    /// A KeyValue in `field` whose value is an integer.
    mutating func attribute(_ field: Int, _ key: String, _ value: Int) {
        message(field) { pair in
            pair.string(1, key)
            pair.message(2) { $0.varint(3, UInt64(bitPattern: Int64(value))) }
        }
    }

    private mutating func tag(_ field: Int, wireType: UInt64) {
        rawVarint(UInt64(field) << 3 | wireType)
    }

    private mutating func rawVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
