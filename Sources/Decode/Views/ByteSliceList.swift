// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// The members of a repeated string field, in wire order.
///
/// Ownership: none, it borrows from the arena of its `Export`. Cost: two words; no allocation.
@safe
package struct ByteSliceList: RandomAccessCollection {
    /// The C array of (length, pointer); nil only when empty.
    let members: UnsafePointer<ProtobufCBinaryData>?
    package let count: Int

    init(_ members: UnsafePointer<ProtobufCBinaryData>?, count: Int) {
        precondition(unsafe members != nil || count == 0)
        unsafe self.members = members
        self.count = count
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    package subscript(position: Int) -> ByteSlice {
        precondition(position >= 0 && position < count)
        return unsafe byteSlice(members.unsafelyUnwrapped[position])
    }
}

/// The bytes of a protobuf-c field; of length 0 they have no address.
func byteSlice(_ data: ProtobufCBinaryData) -> ByteSlice {
    unsafe ByteSlice(base: UnsafeRawPointer(data.data), count: data.len)
}
