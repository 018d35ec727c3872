// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// A message that stays as it is on the wire: a struct over its bytes, which are read each time
/// that they are asked for.
///
/// Attributes are kept like this: unpacked by protobuf-c, one of them takes three messages of 176
/// bytes in all and 0.1 µs, and most are read once. The pre-scan has accepted the bytes: fields end
/// inside, and wire types are those of the schema.
/// Every view borrows from the arena of its `Export` and must not outlive it.
@usableFromInline
package protocol WireMessage {
    /// A view of the message of `count` bytes at `base`, which the pre-scan has accepted.
    init(base: UnsafeRawPointer?, count: Int)
}

extension WireMessage {
    init(_ bytes: ByteSlice) { unsafe self.init(base: bytes.base, count: bytes.count) }
}

/// The members of a repeated field of messages that stay on the wire, in wire order.
///
/// Ownership: none, it borrows from the arena of its `Export`. Cost: two words; no allocation.
@safe
@frozen
@usableFromInline
package struct WireMessageList<Element: WireMessage>: RandomAccessCollection {
    /// A C array of (length, pointer), as protobuf-c has it; nil only when empty.
    @usableFromInline let members: UnsafeRawPointer?
    @usableFromInline package let count: Int

    init(_ members: UnsafePointer<ProtobufCBinaryData>?, count: Int) {
        precondition(unsafe members != nil || count == 0)
        unsafe precondition(
            MemoryLayout<ProtobufCBinaryData>.stride == 2 * MemoryLayout<Int>.stride)
        unsafe self.members = UnsafeRawPointer(members)
        self.count = count
    }

    @inlinable package var startIndex: Int { 0 }
    @inlinable package var endIndex: Int { count }

    @inlinable
    package subscript(position: Int) -> Element {
        precondition(position >= 0 && position < count)
        let stride = MemoryLayout<Int>.stride
        let member = unsafe members.unsafelyUnwrapped + position * 2 * stride
        return unsafe Element(
            base: member.load(fromByteOffset: stride, as: UnsafeRawPointer?.self),
            count: member.load(as: Int.self))
    }
}

/// The members of field 1 of a message that stays on the wire (`ArrayValue`, `KeyValueList`), in
/// wire order; an index is the offset of a member.
///
/// Ownership: none, it borrows from the arena of its `Export`. Cost: two words, no allocation;
/// `count` is a walk over all members.
package struct NestedMessages<Element: WireMessage>: Collection {
    private let bytes: ByteSlice
    package let startIndex: Int

    init(_ bytes: ByteSlice) {
        self.bytes = bytes
        startIndex = NestedMessages.memberOffset(in: bytes, from: 0)
    }

    package var endIndex: Int { bytes.count }

    package subscript(offset: Int) -> Element {
        var reader = WireReader(bytes, from: offset)
        guard let field = reader.next(), field.number == 1 else {
            preconditionFailure("no member begins here")
        }
        return Element(field.bytes)
    }

    package func index(after offset: Int) -> Int {
        var reader = WireReader(bytes, from: offset)
        _ = reader.next()
        return NestedMessages.memberOffset(in: bytes, from: reader.offset)
    }

    /// The offset of the first member at `offset` or behind it; unknown fields are passed over.
    private static func memberOffset(in bytes: ByteSlice, from offset: Int) -> Int {
        var reader = WireReader(bytes, from: offset)
        var start = offset
        while let field = reader.next() {
            if field.number == 1 { return start }
            start = reader.offset
        }
        return bytes.count
    }
}
