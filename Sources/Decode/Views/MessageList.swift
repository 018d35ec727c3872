// SPDX-License-Identifier: Apache-2.0

/// A struct over one pointer to an unpacked message.
///
/// Every view borrows from the arena of its `Export` and must not outlive it.
@usableFromInline
package protocol MessageView {
    /// A view of the message at `message`, which must be of the view's C type and unpacked by
    /// protobuf-c.
    init(_ message: UnsafeRawPointer)
}

/// The members of a repeated message field, in wire order.
///
/// Ownership: none, it borrows from the arena of its `Export`. Cost: two words; no allocation.
@safe
@frozen
@usableFromInline
package struct MessageList<Element: MessageView>: RandomAccessCollection {
    /// The C array of pointers; nil only when empty.
    @usableFromInline let pointers: UnsafeRawPointer?
    @usableFromInline package let count: Int

    /// A list over `count` pointers, none of which is null: protobuf-c fills each slot or fails.
    @inlinable
    init(_ pointers: UnsafeRawPointer?, count: Int) {
        precondition(unsafe pointers != nil || count == 0)
        unsafe self.pointers = pointers
        self.count = count
    }

    @inlinable package var startIndex: Int { 0 }
    @inlinable package var endIndex: Int { count }

    @inlinable
    package subscript(position: Int) -> Element {
        precondition(position >= 0 && position < count)
        let offset = unsafe position * MemoryLayout<UnsafeRawPointer>.stride
        let message = unsafe pointers.unsafelyUnwrapped.load(
            fromByteOffset: offset, as: UnsafeRawPointer.self)
        return unsafe Element(message)
    }
}
