// SPDX-License-Identifier: Apache-2.0
package import Base

/// A SHA-256 over the canonical form of a dimension: its identity, the same in every daemon.
///
/// Held as four big-endian words, so that comparing hashes compares their bytes in order, which is
/// also how PostgreSQL orders bytea.
package struct ContentHash: Hashable, Comparable, Sendable {
    package static let sizeBytes = 32

    private let word0: UInt64
    private let word1: UInt64
    private let word2: UInt64
    private let word3: UInt64

    /// Reads a hash from exactly 32 bytes.
    package init(_ bytes: ByteSlice) {
        precondition(bytes.count == ContentHash.sizeBytes)
        word0 = bytes.bigEndian(at: 0, as: UInt64.self)
        word1 = bytes.bigEndian(at: 8, as: UInt64.self)
        word2 = bytes.bigEndian(at: 16, as: UInt64.self)
        word3 = bytes.bigEndian(at: 24, as: UInt64.self)
    }

    /// The 32 bytes. Allocates.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ContentHash.sizeBytes)
        for word in [word0, word1, word2, word3] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return bytes
    }

    /// The first half.
    package var fingerprint: Fingerprint { Fingerprint(high: word0, low: word1) }

    package static func < (left: ContentHash, right: ContentHash) -> Bool {
        if left.word0 != right.word0 { return left.word0 < right.word0 }
        if left.word1 != right.word1 { return left.word1 < right.word1 }
        if left.word2 != right.word2 { return left.word2 < right.word2 }
        return left.word3 < right.word3
    }
}
