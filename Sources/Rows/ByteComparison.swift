// SPDX-License-Identifier: Apache-2.0
internal import Base

extension ByteSlice {
    /// Whether both hold the same bytes, 8 at a time: cache keys are compared once per row.
    func hasSameBytes(as other: ByteSlice) -> Bool {
        guard count == other.count else { return false }
        guard let left = unsafe base, let right = unsafe other.base else { return true }
        var offset = 0
        while offset + 8 <= count {
            let leftWord = unsafe left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let rightWord = unsafe right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if leftWord != rightWord { return false }
            offset += 8
        }
        while offset < count {
            if unsafe left.load(fromByteOffset: offset, as: UInt8.self)
                != right.load(fromByteOffset: offset, as: UInt8.self)
            {
                return false
            }
            offset += 1
        }
        return true
    }

    /// Whether the bytes are those of an ASCII literal.
    func hasSameBytes(as literal: StaticString) -> Bool {
        unsafe hasSameBytes(
            as: ByteSlice(
                base: UnsafeRawPointer(literal.utf8Start), count: literal.utf8CodeUnitCount))
    }

    /// Whether the bytes come before those of `other`, in the order of memcmp. Not for hot paths.
    func precedes(_ other: ByteSlice) -> Bool {
        unsafe buffer.lexicographicallyPrecedes(other.buffer)
    }
}
