// SPDX-License-Identifier: Apache-2.0

/// What a request brings to show who it is from: its header fields `authorization` and `x-api-key`,
/// or the certificate of its connection.
///
/// Both fields carry the same kind of secret. Holds it for the length of a request head; never
/// print one.
package struct Credentials: Sendable {
    /// The secret as it was sent; nil without one.
    package private(set) var token: [UInt8]?
    /// Something was sent that cannot be a token: another scheme, too long, or two that differ.
    package private(set) var isUnusable = false
    /// The secret that is meant as one of ours, whatever else was sent; nil without one.
    package private(set) var ownToken: [UInt8]?
    /// Two that differ are meant as ours.
    package private(set) var isAmbiguous = false
    /// What the connection's certificate proves; nil without one. Counts where there is no token.
    package var certificate: PeerIdentity?

    /// Longer than any token, so that nobody makes us keep more.
    private static let sizeBytesMax = 128

    package init() {}

    /// Takes note of a header field, whose name is in lower case; most are none of its concern.
    package mutating func add(name: ByteSlice, value: ByteSlice) {
        if name.isText("authorization") {
            let scheme = value.slice(offset: 0, count: min(7, value.count))
            guard scheme.isTextIgnoringCase("bearer ") else { return isUnusable = true }
            note(value.slice(offset: 7, count: value.count - 7))
        } else if name.isText("x-api-key") {
            note(value)
        }
    }

    private mutating func note(_ secret: ByteSlice) {
        var start = 0
        while start < secret.count, secret[start] == 0x20 { start += 1 }
        var end = secret.count
        while end > start, secret[end - 1] == 0x20 { end -= 1 }
        guard start < end, end - start <= Credentials.sizeBytesMax else {
            return isUnusable = true
        }
        let bytes = unsafe Array(secret.slice(offset: start, count: end - start).buffer)
        if TokenText.hasPrefix(bytes) {
            if let ownToken, ownToken != bytes { isAmbiguous = true }
            ownToken = bytes
        }
        if let token, token != bytes { return isUnusable = true }
        token = bytes
    }
}

extension ByteSlice {
    fileprivate func isText(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return unsafe elementsEqual(ByteSlice(base: UnsafeRawPointer(text.utf8Start), count: count))
    }

    /// `text` is in lower case and has letters and spaces only.
    fileprivate func isTextIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return unsafe zip(buffer, UnsafeBufferPointer(start: text.utf8Start, count: count))
            .allSatisfy { byte, letter in byte | 0x20 == letter }
    }
}
