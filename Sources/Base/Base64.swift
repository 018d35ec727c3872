// SPDX-License-Identifier: Apache-2.0

/// Base64 as of RFC 4648 §4.
package enum Base64 {
    @usableFromInline
    static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Digits of the encoding of `sizeBytes` bytes, padding included.
    @inlinable
    package static func paddedSize(sizeBytes: Int) -> Int { (sizeBytes + 2) / 3 * 4 }

    /// Hands every digit of the encoding to `emit`, in order.
    @inlinable
    package static func encode(_ bytes: ByteSlice, isPadded: Bool, _ emit: (UInt8) -> Void) {
        var offset = 0
        while offset < bytes.count {
            let size = min(3, bytes.count - offset)
            var group: UInt32 = 0
            for index in 0..<3 {
                group = group << 8 | (index < size ? UInt32(bytes[offset + index]) : 0)
            }
            for digit in 0...size {
                emit(alphabet[Int(group >> (18 - 6 * UInt32(digit)) & 63)])
            }
            if isPadded {
                for _ in size..<3 { emit(UInt8(ascii: "=")) }
            }
            offset += size
        }
    }

    /// The encoding as text without padding, as gRPC prefers it in `-bin` metadata.
    package static func unpadded(_ bytes: [UInt8]) -> String {
        var digits: [UInt8] = []
        unsafe bytes.withUnsafeBytes { buffer in
            encode(unsafe ByteSlice(buffer), isPadded: false) { digits.append($0) }
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
