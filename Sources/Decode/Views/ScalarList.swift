// SPDX-License-Identifier: Apache-2.0

/// The members of a repeated numeric field, in wire order.
///
/// Ownership: none, it borrows from the arena of its `Export`. Cost: two words; no allocation.
@safe
@frozen
@usableFromInline
package struct ScalarList<Element: BitwiseCopyable>: RandomAccessCollection {
    /// The C array of numbers; nil only when empty.
    @usableFromInline let numbers: UnsafePointer<Element>?
    @usableFromInline package let count: Int

    @inlinable
    init(_ numbers: UnsafePointer<Element>?, count: Int) {
        precondition(unsafe numbers != nil || count == 0)
        unsafe self.numbers = numbers
        self.count = count
    }

    @inlinable package var startIndex: Int { 0 }
    @inlinable package var endIndex: Int { count }

    @inlinable
    package subscript(position: Int) -> Element {
        precondition(position >= 0 && position < count)
        return unsafe numbers.unsafelyUnwrapped[position]
    }

    /// The numbers as they lie in memory, in the machine's byte order.
    @inlinable package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(UnsafeBufferPointer(start: numbers, count: count))
    }
}
