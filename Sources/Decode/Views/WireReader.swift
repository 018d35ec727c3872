// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Reads the fields of a message that the pre-scan has accepted, one after the other.
///
/// Source: Protocol Buffers, Encoding. Stops for good where the bytes are no field, which is not
/// expected: it never reads outside.
struct WireReader {
    private let bytes: ByteSlice
    /// Where the next field begins.
    private(set) var offset: Int

    /// One field.
    struct Field {
        let number: Int
        /// Of a varint; 0 otherwise. As protobuf-c reads it: what is above bit 63 is dropped.
        var varint: UInt64 = 0
        /// What a bool of these bytes is.
        var isTrue = false
        /// Of a length-delimited field, and of one of 4 or 8 bytes; empty otherwise.
        var bytes = ByteSlice.empty
    }

    init(_ bytes: ByteSlice, from offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    mutating func next() -> Field? {
        guard offset < bytes.count, let (tag, _) = varint() else { return end() }
        var field = Field(number: Int(truncatingIfNeeded: (tag & 0xffff_ffff) >> 3))
        switch Int(tag & 7) {
        case WireType.varint:
            guard let (value, isTrue) = varint() else { return end() }
            field.varint = value
            field.isTrue = isTrue
        case WireType.fixed64:
            guard let content = take(8) else { return end() }
            field.bytes = content
        case WireType.lengthDelimited:
            guard let (count, _) = varint(), count <= UInt64(bytes.count),
                let content = take(Int(count))
            else { return end() }
            field.bytes = content
        case WireType.fixed32:
            guard let content = take(4) else { return end() }
            field.bytes = content
        default:
            return end()
        }
        return field
    }

    private mutating func end() -> Field? {
        offset = bytes.count
        return nil
    }

    private mutating func take(_ count: Int) -> ByteSlice? {
        guard count <= bytes.count - offset else { return nil }
        defer { offset += count }
        return bytes.slice(offset: offset, count: count)
    }

    private mutating func varint() -> (value: UInt64, isTrue: Bool)? {
        var value: UInt64 = 0
        var isTrue = false
        for index in 0..<10 {
            guard offset < bytes.count else { return nil }
            let byte = bytes[offset]
            offset += 1
            let bits = UInt64(byte & 0x7f)
            isTrue = isTrue || bits != 0
            value |= bits << UInt64(7 * index)
            if byte < 0x80 { return (value, isTrue) }
        }
        return nil
    }
}
