// SPDX-License-Identifier: Apache-2.0

/// Writes protobuf wire bytes, valid or not, field by field.
package struct WireWriter {
    package var bytes: [UInt8] = []

    package init() {}

    package init(_ build: (inout WireWriter) -> Void) { build(&self) }

    package mutating func raw(_ raw: [UInt8]) { bytes += raw }

    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func tag(_ number: Int, _ wireType: Int) {
        varint(UInt64(number << 3 | wireType))
    }

    package mutating func number(_ number: Int, _ value: UInt64) {
        tag(number, 0)
        varint(value)
    }

    package mutating func fixed64(_ number: Int, _ value: UInt64) {
        tag(number, 1)
        for shift in stride(from: 0, to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    package mutating func double(_ number: Int, _ value: Double) {
        fixed64(number, value.bitPattern)
    }

    package mutating func fixed32(_ number: Int, _ value: UInt32) {
        tag(number, 5)
        for shift in stride(from: 0, to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    package mutating func bytes(_ number: Int, _ content: [UInt8]) {
        tag(number, 2)
        varint(UInt64(content.count))
        bytes += content
    }

    package mutating func text(_ number: Int, _ content: String) {
        bytes(number, Array(content.utf8))
    }

    package mutating func message(_ number: Int, _ build: (inout WireWriter) -> Void = { _ in }) {
        bytes(number, WireWriter(build).bytes)
    }
}
