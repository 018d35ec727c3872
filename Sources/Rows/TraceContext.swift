// SPDX-License-Identifier: Apache-2.0
package import Base

/// A trace id: 16 bytes, not all zero.
@frozen
package struct TraceID: Equatable, Sendable {
    /// The first 8 bytes, big-endian.
    package let high: UInt64
    /// The last 8 bytes, big-endian.
    package let low: UInt64

    /// Nil where `bytes` is no valid trace id.
    @inline(__always)
    package init?(_ bytes: ByteSlice) {
        guard bytes.count == 16 else { return nil }
        high = bytes.word(at: 0)
        low = bytes.word(at: 8)
        guard high | low != 0 else { return nil }
    }
}

/// A span id: 8 bytes, not all zero.
@frozen
package struct SpanID: Equatable, Sendable {
    /// The bytes, big-endian, as the signed integer that is stored.
    package let value: Int64

    /// Nil where `bytes` is no valid span id.
    @inline(__always)
    package init?(_ bytes: ByteSlice) {
        guard bytes.count == 8 else { return nil }
        value = Int64(bitPattern: bytes.word(at: 0))
        guard value != 0 else { return nil }
    }
}

extension ByteSlice {
    /// The 8 bytes at `offset`, big-endian. As `bigEndian(at:as:)`, which is generic and would not
    /// be specialised here, where it is wanted three times per row.
    @inline(__always)
    fileprivate func word(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= count - 8)
        return unsafe UInt64(
            bigEndian: base.unsafelyUnwrapped.loadUnaligned(
                fromByteOffset: offset, as: UInt64.self))
    }
}
