// SPDX-License-Identifier: Apache-2.0

/// Reads the fields of a message that is known to be valid.
struct WireReader {
    struct Field {
        let number: Int
        /// The value of a varint, else 0.
        var varint = 0
        /// The value of a length-delimited field, else empty.
        var bytes: [UInt8] = []

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    private let message: [UInt8]
    private var position = 0

    init(_ message: [UInt8]) { self.message = message }

    func fields() -> [Field] {
        var reader = self
        var fields: [Field] = []
        while reader.position < message.count {
            let tag = reader.varint()
            var field = Field(number: tag >> 3)
            switch tag & 7 {
            case 0: field.varint = reader.varint()
            case 1: reader.position += 8
            case 2: field.bytes = reader.bytes(count: reader.varint())
            default: reader.position += 4
            }
            fields.append(field)
        }
        return fields
    }

    private mutating func varint() -> Int {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = message[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { return Int(truncatingIfNeeded: value) }
        }
    }

    private mutating func bytes(count: Int) -> [UInt8] {
        defer { position += count }
        return Array(message[position..<position + count])
    }
}
