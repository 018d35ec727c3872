// SPDX-License-Identifier: Apache-2.0

extension ByteSlice {
    /// The big-endian integer at `offset`, which must lie inside.
    @inlinable
    package func bigEndian<T: FixedWidthInteger>(at offset: Int, as type: T.Type) -> T {
        precondition(offset >= 0 && offset <= count - MemoryLayout<T>.size)
        return unsafe T(
            bigEndian: base.unsafelyUnwrapped.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
