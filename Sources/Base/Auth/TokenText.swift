// SPDX-License-Identifier: Apache-2.0

/// The text of a token: `stl_`, 8 characters that name it, 43 of secret, 6 of checksum.
///
/// All characters after the prefix are of base 62, so that a double click takes the whole. 43 of
/// them are 256 bits: nobody guesses one, so a fast hash is enough to keep it. The checksum is the
/// CRC-32 of everything before it: it tells a typing error from a token that is gone, and lets
/// scanners for leaked secrets be sure without asking anybody.
package enum TokenText {
    package static let prefix = "stl_"
    private static let idLength = 8
    private static let secretLength = 43
    private static let checksumLength = 6
    /// Bytes of the part that may be shown: prefix and name.
    package static let shownLength = 12
    package static let length = 61

    private static let alphabet = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// A new token, from the system's generator of random numbers.
    package static func generate() -> String {
        var random = SystemRandomNumberGenerator()
        return generate(using: &random)
    }

    static func generate(using random: inout some RandomNumberGenerator) -> String {
        var bytes = Array(prefix.utf8)
        for _ in 0..<idLength + secretLength {
            bytes.append(alphabet[Int.random(in: 0..<62, using: &random)])
        }
        return String(decoding: bytes + checksum(of: bytes), as: UTF8.self)
    }

    /// Whether `text` was made by `generate`, as far as it can say so itself.
    package static func isWellFormed(_ text: [UInt8]) -> Bool {
        guard text.count == length, hasPrefix(text) else { return false }
        let body = text.prefix(length - checksumLength)
        return Array(text.suffix(checksumLength)) == checksum(of: Array(body))
    }

    /// Whether `text` is meant as one of ours.
    package static func hasPrefix(_ text: [UInt8]) -> Bool { text.starts(with: prefix.utf8) }

    /// The part of `text` that may be shown and stored.
    package static func shownPart(_ text: String) -> String {
        String(decoding: text.utf8.prefix(shownLength), as: UTF8.self)
    }

    private static func checksum(of bytes: [UInt8]) -> [UInt8] {
        var rest = CRC32.of(bytes)
        var digits = [UInt8](repeating: alphabet[0], count: checksumLength)
        for index in digits.indices.reversed() {
            digits[index] = alphabet[Int(rest % 62)]
            rest /= 62
        }
        return digits
    }
}

/// The CRC-32 of ISO 3309, as in gzip. Bit by bit: for a few bytes now and then.
enum CRC32 {
    static func of(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = .max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xedb8_8320 : 0) }
        }
        return ~crc
    }
}
