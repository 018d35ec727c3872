// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COpenSSL

/// What is known of a certificate.
package struct CertificateFacts: Sendable, Equatable {
    package let identity: PeerIdentity
    /// Seconds since 1970 between which it is valid.
    package let notBeforeUnixSeconds: Int64
    package let notAfterUnixSeconds: Int64
}

/// Sole owner of one certificate.
@safe
struct Certificate: ~Copyable {
    let raw: OpaquePointer

    /// Takes over a reference.
    init(owning raw: OpaquePointer) { unsafe self.raw = raw }

    deinit { unsafe X509_free(raw) }

    /// The next one of a file; nil where none follows.
    init?(from source: OpaquePointer) {
        guard let raw = unsafe PEM_read_bio_X509(source, nil, nil, nil) else { return nil }
        unsafe self.raw = raw
    }

    var facts: CertificateFacts {
        CertificateFacts(
            identity: identity,
            notBeforeUnixSeconds: unsafe Int64(tls_unix_seconds(X509_get0_notBefore(raw))),
            notAfterUnixSeconds: unsafe Int64(tls_unix_seconds(X509_get0_notAfter(raw))))
    }

    var identity: PeerIdentity {
        unsafe PeerIdentity(names: Certificate.names(of: raw), fingerprint: fingerprint)
    }

    private var fingerprint: String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        let result = unsafe X509_digest(raw, EVP_sha256(), &digest, &count)
        precondition(result == 1, "OpenSSL offers no SHA-256")
        let digits = Array("0123456789abcdef".utf8)
        let text = digest[..<Int(count)].flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// All its names that are text, without doubles; what holds control characters is left out, as
    /// no name that is meant well does, and a NUL ends it for others.
    static func names(of certificate: OpaquePointer) -> [String] {
        var names: [String] = []
        func add(_ text: String?) {
            guard let text, !names.contains(text) else { return }
            names.append(text)
        }
        if let found = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) {
            let list = OpaquePointer(found)
            defer { unsafe GENERAL_NAMES_free(list) }
            for index in unsafe 0..<tls_name_count(list) {
                var count: Int32 = 0
                guard let bytes = unsafe tls_name_text(list, index, &count) else { continue }
                add(unsafe text(UnsafeBufferPointer(start: bytes, count: Int(count))))
            }
        }
        add(unsafe commonName(of: certificate))
        return names
    }

    private static func commonName(of certificate: OpaquePointer) -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = unsafe X509_NAME_get_text_by_NID(
            X509_get_subject_name(certificate), NID_commonName, &buffer, Int32(buffer.count))
        guard count > 0 else { return nil }
        let bytes = buffer[..<Int(count)].map { UInt8(bitPattern: $0) }
        return unsafe bytes.withUnsafeBufferPointer { unsafe text($0) }
    }

    private static func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        guard !bytes.isEmpty, unsafe bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            return nil
        }
        return unsafe String(validating: bytes, as: UTF8.self)
    }
}
