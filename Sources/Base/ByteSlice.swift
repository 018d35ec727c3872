// SPDX-License-Identifier: Apache-2.0

/// A borrowed run of bytes inside memory that someone else owns.
///
/// Ownership: none. Valid for as long as the owner (a request body, an arena, a receive buffer)
/// lives; whoever hands one out says who that is. Thread: wherever the owner may be read.
/// Cost: two words.
@safe
@frozen
@usableFromInline
package struct ByteSlice: @unchecked Sendable {
    /// Start of the bytes; nil only when empty.
    @usableFromInline
    package let base: UnsafeRawPointer?
    @usableFromInline
    package let count: Int

    @inlinable
    package init(base: UnsafeRawPointer?, count: Int) {
        precondition(count >= 0)
        precondition(unsafe base != nil || count == 0)
        unsafe self.base = base
        self.count = count
    }

    @inlinable
    package init(_ buffer: UnsafeRawBufferPointer) {
        unsafe self.init(base: buffer.baseAddress, count: buffer.count)
    }

    @inlinable
    package static var empty: ByteSlice { unsafe ByteSlice(base: nil, count: 0) }

    @inlinable
    package var isEmpty: Bool { count == 0 }

    @inlinable
    package var buffer: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: base, count: count)
    }

    @inlinable
    package subscript(offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < count)
        return unsafe base.unsafelyUnwrapped.load(fromByteOffset: offset, as: UInt8.self)
    }

    /// Bytes `offset ..< offset + count`, which must lie inside.
    @inlinable
    package func slice(offset: Int, count: Int) -> ByteSlice {
        precondition(offset >= 0 && count >= 0 && offset <= self.count - count)
        guard count > 0 else { return .empty }
        return unsafe ByteSlice(base: base.unsafelyUnwrapped + offset, count: count)
    }

    /// A String of the bytes, invalid UTF-8 replaced. Allocates: for messages and cold paths only.
    package var string: String { unsafe String(decoding: buffer, as: UTF8.self) }

    package func elementsEqual(_ other: ByteSlice) -> Bool {
        guard count == other.count else { return false }
        return unsafe buffer.elementsEqual(other.buffer)
    }
}
