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
        high = bytes.bigEndian(at: 0, as: UInt64.self)
        low = bytes.bigEndian(at: 8, as: UInt64.self)
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
        value = bytes.bigEndian(at: 0, as: Int64.self)
        guard value != 0 else { return nil }
    }
}
