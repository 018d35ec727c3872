// SPDX-License-Identifier: Apache-2.0
internal import Socket
internal import TLS

/// Whether other machines could come in without showing who they are.
extension ConfigurationLoader {
    /// `isLoopback` may ask the resolver, and so block.
    mutating func checkExposure(isLoopback: (Endpoint) -> Bool = { $0.isLoopback() }) {
        let auth = configuration.auth
        guard !auth.isRequired, !auth.isAnonymousAllowed else { return }
        let listen = configuration.listen
        let named = [
            ("listen.grpc", listen.grpc), ("listen.http", listen.http), ("listen.api", listen.api),
        ]
        for (name, endpoint) in named {
            guard let endpoint, !isLoopback(endpoint), !asksForCertificate(name) else { continue }
            report(
                [name, "auth.required", "auth.allow_anonymous"],
                ValueFault(
                    "other machines can connect to \(endpoint), and nobody is asked for a token",
                    remedy: "set auth.required to true and make tokens with `starling token "
                        + "create`, or auth.allow_anonymous to true if whoever can connect may "
                        + "come in"))
        }
    }

    /// Certificates that nobody is asked for cannot stand in for tokens.
    mutating func checkCertificateIdentity() {
        guard configuration.auth.acceptsCertificates,
            configuration.tls.settings.clientAuthentication == .none
        else { return }
        report(
            ["auth.client_certificates", "tls.client_auth"],
            ValueFault(
                "clients are not asked for a certificate, so this has no effect",
                remedy: "set tls.client_auth to optional or required, or this to false"))
    }

    /// Whether nobody comes in at the listener `key` without a certificate.
    private func asksForCertificate(_ key: String) -> Bool {
        let tls = configuration.tls
        return tls.isOn && tls.settings.clientAuthentication == .required
            && tls.listeners.contains { "listen.\($0.rawValue)" == key }
    }
}
