// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// Sole owner of one SSL_CTX, with the rules that hold on both sides of a connection.
///
/// Sources: RFC 9325 (recommendations for TLS), RFC 9113 9.2 (HTTP/2 over TLS). Thread: built by
/// one; a finished one may be used by any, OpenSSL counts its references.
@safe
struct ContextHandle: ~Copyable, @unchecked Sendable {
    let raw: OpaquePointer

    /// Forward secrecy and authenticated encryption only; what RFC 9113, appendix A prohibits is
    /// not among them.
    private static let ciphers12 =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        + "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        + "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    private static let ciphers13 =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let groups = "X25519:P-256:P-384"
    /// 112 bits: RSA of 2048 bits, no SHA-1.
    private static let securityLevel: Int32 = 2
    /// Of certificates that a peer sends.
    private static let peerChainSizeBytesMax = 32 << 10

    init(isServer: Bool, versionMin: TLSVersion) {
        guard let raw = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method())
        else { preconditionFailure("OpenSSL has no memory") }
        unsafe self.raw = raw
        unsafe SSL_CTX_set_security_level(raw, ContextHandle.securityLevel)
        let oldest = versionMin == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        let isSet =
            unsafe tls_set_versions(raw, oldest, TLS1_3_VERSION) == 1
            && SSL_CTX_set_cipher_list(raw, ContextHandle.ciphers12) == 1
            && SSL_CTX_set_ciphersuites(raw, ContextHandle.ciphers13) == 1
            && tls_set_groups(raw, ContextHandle.groups) == 1
        precondition(isSet, "OpenSSL lacks a cipher or a group")
        unsafe tls_set_options(raw)
        unsafe tls_set_modes(raw)
        unsafe tls_forbid_session_cache(raw)
        unsafe tls_set_peer_chain_size_max(raw, ContextHandle.peerChainSizeBytesMax)
        _ = unsafe SSL_CTX_set_max_early_data(raw, 0)
    }

    deinit { unsafe SSL_CTX_free(raw) }
}

// MARK: Our own certificate

extension ContextHandle {
    /// Loads the certificate with its chain and its key; returns what is known of the certificate,
    /// and whether others may read the key.
    borrowing func loadCertificate(
        _ certificateFile: String, keyFile: String
    ) throws(TLSFault) -> (facts: CertificateFacts, isKeyOpenToAll: Bool) {
        let facts = try loadChain(certificateFile)
        let key = try PEMFile(.key, keyFile)
        let privateKey = unsafe try ContextHandle.readKey(key, path: keyFile)
        defer { unsafe EVP_PKEY_free(privateKey) }
        guard unsafe SSL_CTX_use_PrivateKey(raw, privateKey) == 1,
            unsafe SSL_CTX_check_private_key(raw) == 1
        else {
            ERR_clear_error()
            throw TLSFault(
                .key, keyFile, "the key does not belong to the certificate in \(certificateFile)",
                remedy: "name the key that the certificate was requested with")
        }
        return (facts, key.isOpenToAll)
    }

    private borrowing func loadChain(_ path: String) throws(TLSFault) -> CertificateFacts {
        let file = try PEMFile(.certificate, path)
        var facts: CertificateFacts?
        var refusal: String?
        unsafe try file.forEachObject { source in
            guard refusal == nil, let certificate = unsafe Certificate(from: source) else {
                return false
            }
            let isTaken =
                facts == nil
                ? unsafe SSL_CTX_use_certificate(raw, certificate.raw) == 1
                : unsafe tls_add_chain_certificate(raw, certificate.raw) == 1
            if !isTaken { refusal = OpenSSLErrors.takeLast()?.text ?? "no reason given" }
            if facts == nil { facts = certificate.facts }
            return true
        }
        if let refusal {
            throw TLSFault(
                .certificate, path, "OpenSSL does not take a certificate in it: \(refusal)",
                remedy: "make one with a key of 2048 bits (RSA) or 256 (EC) at least, and SHA-256")
        }
        guard let facts else {
            throw TLSFault(
                .certificate, path, "there is no certificate in it",
                remedy: "name a PEM file, which begins with -----BEGIN CERTIFICATE-----")
        }
        return facts
    }

    /// A passphrase is never asked for, a daemon has nobody to ask; one that is needed is noted.
    private static func readKey(
        _ file: borrowing PEMFile, path: String
    ) throws(TLSFault) -> OpaquePointer {
        var isEncrypted = false
        let found = unsafe file.withSource { source in
            unsafe withUnsafeMutablePointer(to: &isEncrypted) { flag in
                unsafe PEM_read_bio_PrivateKey(
                    source, nil,
                    { _, _, _, flag in
                        unsafe flag?.assumingMemoryBound(to: Bool.self).pointee = true
                        return -1
                    }, flag)
            }
        }
        if let found = unsafe found { return unsafe found }
        guard !isEncrypted else {
            throw TLSFault(
                .key, path, "the key is protected by a passphrase, which nobody is there to give",
                remedy: "write it without one (openssl pkey -in KEY -out NEW) into a file that "
                    + "only the account of the daemon may read")
        }
        throw TLSFault(
            .key, path, "there is no private key in it",
            remedy: "name a PEM file, which begins with -----BEGIN PRIVATE KEY-----")
    }
}

// MARK: Certificates of the other side

extension ContextHandle {
    /// Accepts certificates of the authorities in `path`. A server also tells clients who they are.
    borrowing func loadAuthorities(_ path: String, isServer: Bool) throws(TLSFault) {
        let file = try PEMFile(.clientCA, path)
        let store = unsafe SSL_CTX_get_cert_store(raw)
        var count = 0
        unsafe try file.forEachObject { source in
            guard let certificate = unsafe Certificate(from: source) else { return false }
            guard unsafe X509_STORE_add_cert(store, certificate.raw) == 1 else { return false }
            if isServer { _ = unsafe SSL_CTX_add_client_CA(raw, certificate.raw) }
            count += 1
            return true
        }
        guard count > 0 else {
            throw TLSFault(
                .clientCA, path, "there is no certificate of an authority in it",
                remedy: "name a PEM file, which begins with -----BEGIN CERTIFICATE-----")
        }
    }

    /// Accepts the first certificate in `path` and no other.
    borrowing func pin(_ path: String) throws(TLSFault) {
        let file = try PEMFile(.certificate, path)
        let store = unsafe SSL_CTX_get_cert_store(raw)
        var isPinned = false
        unsafe try file.forEachObject { source in
            guard let certificate = unsafe Certificate(from: source) else { return false }
            isPinned = unsafe X509_STORE_add_cert(store, certificate.raw) == 1
            return false
        }
        guard isPinned else {
            throw TLSFault(
                .certificate, path, "there is no certificate in it", remedy: "name a PEM file")
        }
        // Without it a certificate that is not an authority's is no end of a chain.
        _ = unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    /// Refuses the certificates that are revoked, and those of authorities that have no list.
    ///
    /// Returns the lists that are out of date: with one of these nobody is let in.
    borrowing func loadRevocations(_ path: String) throws(TLSFault) -> [String] {
        let file = try PEMFile(.crl, path)
        let store = unsafe SSL_CTX_get_cert_store(raw)
        var count = 0
        var outdated: [String] = []
        unsafe try file.forEachObject { source in
            guard let list = unsafe PEM_read_bio_X509_CRL(source, nil, nil, nil) else {
                return false
            }
            defer { unsafe X509_CRL_free(list) }
            guard unsafe X509_STORE_add_crl(store, list) == 1 else { return false }
            if let next = unsafe X509_CRL_get0_nextUpdate(list),
                unsafe X509_cmp_current_time(next) < 0
            {
                unsafe outdated.append(ContextHandle.text(of: X509_CRL_get_issuer(list)))
            }
            count += 1
            return true
        }
        guard count > 0 else {
            throw TLSFault(
                .crl, path, "there is no list of revoked certificates in it",
                remedy: "name a PEM file, which begins with -----BEGIN X509 CRL-----")
        }
        let flags = UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)
        _ = unsafe X509_STORE_set_flags(store, flags)
        return outdated
    }

    private static func text(of name: OpaquePointer?) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        _ = unsafe X509_NAME_oneline(name, &buffer, Int32(buffer.count))
        return String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
