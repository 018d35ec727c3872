// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// Where a page ended, for the next one; opaque to whoever asks, and nothing is kept of it here.
///
/// It holds the range of time as the first page had it, so that `now-15m` means the same on all,
/// and the fingerprint of the question, so that no other can be asked with it.
package struct Cursor: Sendable, Equatable {
    /// Of the text that says the question. Not proof against forgery: whoever forges one gets
    /// another page of what they may ask for anyhow.
    package struct Fingerprint: Sendable, Equatable {
        let checksum: UInt32
        let sizeBytes: UInt32

        /// `text` has all that the question depends on, but for the length of the page.
        package init(of text: String) {
            let bytes = Array(text.utf8)
            checksum = unsafe bytes.withUnsafeBytes { CRC32C.of(unsafe ByteSlice($0)) }
            sizeBytes = UInt32(truncatingIfNeeded: bytes.count)
        }

        init(checksum: UInt32, sizeBytes: UInt32) {
            self.checksum = checksum
            self.sizeBytes = sizeBytes
        }
    }

    package let range: TimeRange
    /// The key of the last element, from its most significant part down.
    package let key: [Int64]
    private let fingerprint: Fingerprint

    private static let version: UInt8 = 1
    private static let keyCountMax = 8

    package init(range: TimeRange, key: [Int64], of fingerprint: Fingerprint) {
        precondition(key.count <= Cursor.keyCountMax)
        self.range = range
        self.key = key
        self.fingerprint = fingerprint
    }

    /// Reads what `text` gave. Errors: `invalidParameter` where it is none, `cursorMismatch` where
    /// it is of another question, or its key has not `keyCount` parts.
    package init(
        _ text: String, of fingerprint: Fingerprint, keyCount: Int, pointer: String = "cursor"
    ) throws(QueryFailure) {
        guard let fields = Cursor.fields(text), fields.count >= 3,
            fields.count <= 3 + Cursor.keyCountMax
        else {
            throw QueryFailure(
                .invalidParameter,
                "this is no cursor: give next_cursor of the page before, as "
                    + "it is", pointer: pointer)
        }
        let mark = UInt64(bitPattern: fields[0])
        let found = Fingerprint(
            checksum: UInt32(mark >> 32), sizeBytes: UInt32(truncatingIfNeeded: mark))
        guard found == fingerprint, fields.count == 3 + keyCount else {
            throw QueryFailure(
                .cursorMismatch,
                "the cursor is of another question: ask the same, or begin "
                    + "without a cursor", pointer: pointer)
        }
        self.fingerprint = fingerprint
        range = TimeRange(startUnixNs: fields[1], endUnixNs: fields[2])
        key = Array(fields[3...])
    }

    /// For a URL: base64url without padding (RFC 4648, section 5).
    package var text: String {
        var bytes = [Cursor.version]
        let mark = UInt64(fingerprint.checksum) << 32 | UInt64(fingerprint.sizeBytes)
        let fields = [Int64(bitPattern: mark), range.startUnixNs, range.endUnixNs] + key
        for field in fields {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: field >> Int64(shift)))
            }
        }
        return String(
            Base64.unpadded(bytes).map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }

    private static func fields(_ text: String) -> [Int64]? {
        var bytes = Array(text.utf8)
        guard
            let count = unsafe bytes.withUnsafeMutableBytes({ unsafe TextDigits.decodeBase64($0) }),
            count % 8 == 1, bytes[0] == version
        else { return nil }
        return stride(from: 1, to: count, by: 8).map { start in
            bytes[start..<start + 8].reduce(0) { $0 << 8 | Int64($1) }
        }
    }
}
