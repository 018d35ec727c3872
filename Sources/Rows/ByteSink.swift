// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Takes the bytes of a serialised dimension one after the other: a digest, or the key of a cache.
///
/// Integers are written big-endian, so that hashes agree between machines.
protocol ByteSink: ~Copyable {
    mutating func append(_ bytes: ByteSlice)
    mutating func append(_ byte: UInt8)
    mutating func append(_ word: UInt32)
    mutating func append(_ word: UInt64)
}

extension ByteSink where Self: ~Copyable {
    /// A length and then the bytes: what makes "ab","c" differ from "a","bc".
    mutating func appendCounted(_ bytes: ByteSlice) {
        precondition(bytes.count <= Int(UInt32.max), "one message is never that large")
        append(UInt32(bytes.count))
        append(bytes)
    }
}
