// SPDX-License-Identifier: Apache-2.0
package import Base

/// Reads the fields of a protobuf message one after the other, for services beside Export and for
/// clients.
///
/// Ownership: borrows the message. No allocation. A message that is not well formed ends with nil
/// and `isMalformed`.
package struct WireFields {
    package enum Value {
        case varint(UInt64)
        case bytes(ByteSlice)
        /// Of a type that nothing here has: skipped over.
        case other
    }

    private var rest: ByteSlice
    package private(set) var isMalformed = false

    /// Before the first field of `message`.
    package init(_ message: ByteSlice) { rest = message }

    /// The next field; nil at the end.
    package mutating func next() -> (number: UInt64, value: Value)? {
        guard !rest.isEmpty, !isMalformed else { return nil }
        guard let key = varint(), key >> 3 != 0 else { return fail() }
        switch key & 7 {
        case 0:
            guard let value = varint() else { return fail() }
            return (key >> 3, .varint(value))
        case 1:
            guard take(8) != nil else { return fail() }
            return (key >> 3, .other)
        case 2:
            guard let size = varint(), size <= UInt64(rest.count), let bytes = take(Int(size))
            else { return fail() }
            return (key >> 3, .bytes(bytes))
        case 5:
            guard take(4) != nil else { return fail() }
            return (key >> 3, .other)
        default: return fail()
        }
    }

    private mutating func fail() -> (number: UInt64, value: Value)? {
        isMalformed = true
        return nil
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for index in 0..<min(10, rest.count) {
            let byte = rest[index]
            value |= UInt64(byte & 0x7f) << UInt64(7 * index)
            if byte < 0x80 {
                rest = rest.slice(offset: index + 1, count: rest.count - index - 1)
                return value
            }
        }
        return nil
    }

    private mutating func take(_ count: Int) -> ByteSlice? {
        guard count <= rest.count else { return nil }
        let taken = rest.slice(offset: 0, count: count)
        rest = rest.slice(offset: count, count: rest.count - count)
        return taken
    }
}

/// Writes the fields of a small protobuf message.
struct WireMessage {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ number: UInt64, varint value: UInt64) {
        appendVarint(number << 3)
        appendVarint(value)
    }

    mutating func append(_ number: UInt64, bytes value: some Collection<UInt8>) {
        appendVarint(number << 3 | 2)
        appendVarint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func append(_ number: UInt64, _ message: WireMessage) {
        append(number, bytes: message.bytes)
    }

    private mutating func appendVarint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }
}
