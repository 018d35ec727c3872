// SPDX-License-Identifier: Apache-2.0

/// Identity of an export's content: two exports with the same fingerprint are the same export.
///
/// The first 128 bits of a SHA-256, so that nobody can make an export that passes for another's.
package struct Fingerprint: Hashable, Sendable {
    package static let sizeBytes = 16

    private let high: UInt64
    private let low: UInt64

    /// From the first two big-endian words of the hash.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The 16 bytes, big-endian. Allocates.
    package var bytes: [UInt8] {
        unsafe withUnsafeBytes(of: high.bigEndian, Array.init)
            + withUnsafeBytes(of: low.bigEndian, Array.init)
    }

    /// Reads what `bytes` gave; nil for any other size.
    package init?(_ bytes: ByteSlice) {
        guard bytes.count == Fingerprint.sizeBytes else { return nil }
        high = bytes.bigEndian(at: 0, as: UInt64.self)
        low = bytes.bigEndian(at: 8, as: UInt64.self)
    }
}
