// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The body of an answer, whole and ready to be sent.
package struct Answer: Sendable {
    package let bytes: [UInt8]
    package let isGzip: Bool
    /// What changes whenever the body does, for `If-None-Match`: a weak validator, quotes included
    /// (RFC 9110, section 8.8.3).
    package let entityTag: String

    /// Shorter ones are not worth the work.
    private static let gzipSizeBytesMin = 1_024

    init(_ plain: [UInt8], acceptsGzip: Bool) {
        let checksum = unsafe plain.withUnsafeBytes { CRC32C.of(unsafe ByteSlice($0)) }
        entityTag = "W/\"\(String(checksum, radix: 16))-\(String(plain.count, radix: 16))\""
        if acceptsGzip, plain.count >= Answer.gzipSizeBytesMin, let packer = GzipPacker(.fast) {
            var packed: [UInt8] = []
            unsafe plain.withUnsafeBytes { packer.pack(unsafe ByteSlice($0), .end, to: &packed) }
            bytes = packed
            isGzip = true
        } else {
            bytes = plain
            isGzip = false
        }
    }
}
