// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// A server's certificate and rules, loaded and checked, for any number of sessions.
///
/// Never changes; a reload makes another one, and sessions keep the one that they began with.
/// Thread: any.
package final class TLSContext: Sendable {
    let handle: ContextHandle
    let clientNames: [NamePattern]
    /// Of the certificate that clients see.
    package let certificate: CertificateFacts
    /// What is odd about the files and no error, for people: sentences without a full stop.
    private let notes: [String]
    private let certificateFile: String

    /// A certificate that expires earlier is spoken of.
    package static let warningSeconds: Int64 = 14 * 86_400
    private static let ticketLifetimeSeconds = 3_600

    /// Reads all files. Blocks on them: for start-up and reload only.
    package init(_ settings: TLSSettings) throws(TLSFault) {
        handle = ContextHandle(isServer: true, versionMin: settings.versionMin)
        clientNames = settings.clientNames
        certificateFile = settings.certificateFile
        var notes: [String] = []
        let (facts, isKeyOpenToAll) = try handle.loadCertificate(
            settings.certificateFile, keyFile: settings.keyFile)
        certificate = facts
        if isKeyOpenToAll {
            notes.append(
                "every account on this machine may read the key \(settings.keyFile): "
                    + "chmod o= is missing")
        }
        unsafe SSL_CTX_set_alpn_select_cb(handle.raw, selectProtocol, nil)
        unsafe SSL_CTX_set_client_hello_cb(handle.raw, lookAtHello, nil)
        unsafe SSL_CTX_set_msg_callback(handle.raw, seeMessage)
        if settings.clientAuthentication == .none {
            _ = unsafe SSL_CTX_set_num_tickets(handle.raw, 1)
            _ = unsafe SSL_CTX_set_timeout(handle.raw, TLSContext.ticketLifetimeSeconds)
        } else {
            notes += try TLSContext.askForCertificates(settings, handle)
        }
        self.notes = notes
    }

    private static func askForCertificates(
        _ settings: TLSSettings, _ handle: borrowing ContextHandle
    ) throws(TLSFault) -> [String] {
        try handle.loadAuthorities(settings.clientCAFile, isServer: true)
        var mode = SSL_VERIFY_PEER
        if settings.clientAuthentication == .required { mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT }
        unsafe SSL_CTX_set_verify(handle.raw, mode, checkPeer)
        // Who resumes a session shows no certificate, so a revoked one could go on.
        unsafe tls_forbid_resumption(handle.raw)
        guard !settings.crlFile.isEmpty else { return [] }
        return try handle.loadRevocations(settings.crlFile).map {
            "the list of revoked certificates of \($0) in \(settings.crlFile) is out of date, "
                + "so its certificates are refused"
        }
    }

    /// What is odd at this time and no error: sentences without a full stop.
    package func notes(nowUnixNs: UInt64) -> [String] {
        let nowUnixSeconds = Int64(nowUnixNs / 1_000_000_000)
        let secondsLeft = certificate.notAfterUnixSeconds - nowUnixSeconds
        if nowUnixSeconds < certificate.notBeforeUnixSeconds {
            return notes + ["the certificate \(certificateFile) is not valid yet"]
        }
        if secondsLeft <= 0 {
            return notes + ["the certificate \(certificateFile) has expired; clients refuse it"]
        }
        guard secondsLeft < TLSContext.warningSeconds else { return notes }
        return notes + [
            "the certificate \(certificateFile) expires in \(secondsLeft / 86_400) days"
        ]
    }
}

/// What a client accepts and shows.
///
/// Thread: any.
package final class TLSClientContext: Sendable {
    let handle: ContextHandle
    /// Empty where the name does not matter.
    let serverName: String
    let protocols: [ApplicationLayerProtocol]

    /// - Parameters:
    ///   - authorityFile: Who may have issued the server's certificate; empty for those that the
    ///     system trusts.
    ///   - pinnedFile: The very certificate that the server has; with it nothing else counts, not
    ///     even its name.
    ///   - certificateFile: What is shown to a server that asks; empty for nothing.
    ///   - serverName: The name or address that the server's certificate has to have.
    package init(
        authorityFile: String = "", pinnedFile: String = "", certificateFile: String = "",
        keyFile: String = "",
        serverName: String, protocols: [ApplicationLayerProtocol], versionMin: TLSVersion = .tls12
    ) throws(TLSFault) {
        handle = ContextHandle(isServer: false, versionMin: versionMin)
        self.serverName = pinnedFile.isEmpty ? serverName : ""
        self.protocols = protocols
        unsafe SSL_CTX_set_verify(handle.raw, SSL_VERIFY_PEER, nil)
        if !pinnedFile.isEmpty {
            try handle.pin(pinnedFile)
        } else if authorityFile.isEmpty {
            _ = unsafe SSL_CTX_set_default_verify_paths(handle.raw)
        } else {
            try handle.loadAuthorities(authorityFile, isServer: false)
        }
        if !certificateFile.isEmpty {
            _ = try handle.loadCertificate(certificateFile, keyFile: keyFile)
        }
        let list = protocols.flatMap { [UInt8($0.rawValue.utf8.count)] + Array($0.rawValue.utf8) }
        // Unlike its neighbours it returns 0 for success.
        let result = unsafe SSL_CTX_set_alpn_protos(handle.raw, list, UInt32(list.count))
        precondition(result == 0, "OpenSSL has no memory")
    }
}
