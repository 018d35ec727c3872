// SPDX-License-Identifier: Apache-2.0

/// A protobuf message in the making, field by field; numbers are those of the OTLP definitions.
struct Wire {
    private(set) var bytes: [UInt8] = []

    init(_ parts: Wire...) {
        for part in parts { bytes += part.bytes }
    }

    init(_ parts: [Wire]) {
        for part in parts { bytes += part.bytes }
    }

    static func message(_ number: UInt64, _ parts: Wire...) -> Wire {
        bytes(number, Wire(parts).bytes)
    }

    static func text(_ number: UInt64, _ value: String) -> Wire { bytes(number, Array(value.utf8)) }

    static func bytes(_ number: UInt64, _ value: [UInt8]) -> Wire {
        var wire = Wire()
        wire.appendVarint(number << 3 | 2)
        wire.appendVarint(UInt64(value.count))
        wire.bytes += value
        return wire
    }

    static func varint(_ number: UInt64, _ value: UInt64) -> Wire {
        var wire = Wire()
        wire.appendVarint(number << 3)
        wire.appendVarint(value)
        return wire
    }

    static func fixed64(_ number: UInt64, _ value: UInt64) -> Wire {
        var wire = Wire()
        wire.appendVarint(number << 3 | 1)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            wire.bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
        return wire
    }

    static func double(_ number: UInt64, _ value: Double) -> Wire {
        fixed64(number, value.bitPattern)
    }

    private mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// A value of an attribute, in the form of AnyValue.
enum Value {
    case none
    case string(String), bool(Bool), int(Int64), double(Double), bytes([UInt8])
    case array([Value])

    var wire: Wire {
        switch self {
        case .none: Wire()
        case .string(let text): .text(1, text)
        case .bool(let flag): .varint(2, flag ? 1 : 0)
        case .int(let number): .varint(3, UInt64(bitPattern: number))
        case .double(let number): .double(4, number)
        case .array(let members):
            .message(5, Wire(members.map { .message(1, $0.wire) }))
        case .bytes(let bytes): .bytes(7, bytes)
        }
    }

    /// A KeyValue in field `number` of its owner.
    static func attribute(_ number: UInt64, _ key: String, _ value: Value) -> Wire {
        .message(number, .text(1, key), .message(2, value.wire))
    }
}
