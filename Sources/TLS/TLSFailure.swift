// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COpenSSL

/// Why a connection could not be secured, or is not secure any more.
package struct TLSFailure: Error, Sendable, CustomStringConvertible {
    /// What operators tell apart.
    package enum Reason: Sendable, CaseIterable {
        /// What came is no TLS: plain HTTP, or garbage.
        case notTLS
        /// The peer speaks only versions that are not allowed.
        case version
        /// No cipher, group or signature that both know.
        case cipher
        /// None of the protocols that are spoken here was offered (ALPN).
        case applicationProtocol
        /// The peer showed no certificate and has to.
        case certificateMissing
        /// The peer's certificate was not accepted.
        case certificate
        /// The peer ended the handshake, for example because it does not accept our certificate.
        case peer
        /// It took too long.
        case timeout
        case other
    }

    package let reason: Reason
    /// Half a sentence for people.
    package let description: String

    package init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }

    /// The counter of failed handshakes for this reason.
    package var counter: Counter {
        switch reason {
        case .notTLS: .tlsHandshakesNotTLS
        case .version: .tlsHandshakesVersion
        case .cipher: .tlsHandshakesCipher
        case .applicationProtocol: .tlsHandshakesProtocol
        case .certificateMissing: .tlsHandshakesCertificateMissing
        case .certificate: .tlsHandshakesCertificate
        case .peer: .tlsHandshakesPeer
        case .timeout: .tlsHandshakesTimeout
        case .other: .tlsHandshakesOther
        }
    }

    package static let timeout = TLSFailure(.timeout, "the handshake took too long")
    package static let hangUp = TLSFailure(.peer, "the peer closed during the handshake")
    static let notTLS = TLSFailure(.notTLS, "what the peer sent is not TLS")
    /// Names that a peer sends, as far as they are of use to who reads of them: a peer can send
    /// tens of thousands of bytes.
    static func listing(_ names: [String]) -> String {
        let shown = names.prefix(8).map { name in
            let start = name.unicodeScalars.prefix(64)
            return start.endIndex == name.endIndex ? name : String(start) + "…"
        }
        let list = shown.joined(separator: ", ")
        return names.count > shown.count ? "\(list) and \(names.count - shown.count) more" : list
    }

    static let unread = TLSFailure(.other, "the peer does not read what it has to answer")
    static let keyUpdates = TLSFailure(.other, "the peer changes keys all the time")
}

/// The calling thread's list of OpenSSL's errors.
enum OpenSSLErrors {
    struct Entry {
        let reason: Int32
        let isOfTLS: Bool
        /// There is no more to read in a PEM file.
        let isEndOfPEM: Bool
        let text: String
    }

    /// The newest error, which says most; the list is empty afterwards.
    static func takeLast() -> Entry? {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0 else { return nil }
        let reason = unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
        return Entry(
            reason: ERR_GET_REASON(code), isOfTLS: ERR_GET_LIB(code) == ERR_LIB_SSL,
            isEndOfPEM: ERR_GET_LIB(code) == ERR_LIB_PEM
                && ERR_GET_REASON(code) == PEM_R_NO_START_LINE,
            text: reason ?? "error \(code)")
    }
}

extension TLSFailure {
    /// What OpenSSL's newest error comes to.
    static func ofOpenSSL() -> TLSFailure {
        guard let error = OpenSSLErrors.takeLast() else {
            return TLSFailure(.other, "OpenSSL gives no reason")
        }
        guard error.isOfTLS else { return TLSFailure(.other, error.text) }
        switch error.reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST,
            SSL_R_BAD_RECORD_TYPE, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_RECORD_LENGTH_MISMATCH:
            return .notTLS
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_NO_PROTOCOLS_AVAILABLE:
            return TLSFailure(.version, "the peer's TLS versions are not allowed (tls.version_min)")
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
            return TLSFailure(.cipher, "the peer offers nothing that is allowed: \(error.text)")
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TLSFailure(.certificateMissing, "the peer shows no certificate")
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return TLSFailure(.certificate, error.text)
        case SSL_AD_REASON_OFFSET...:
            return TLSFailure(.peer, "the peer refuses: \(error.text)")
        default:
            return TLSFailure(.other, error.text)
        }
    }
}
