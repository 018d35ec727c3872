// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Socket
internal import TLS

/// Who can reach the listeners, and what they show on the way.
extension ConfigurationLoader {
    /// Refuses a listener where other machines come in without showing who they are, and notes one
    /// where they show it in clear text. `activated` are the sockets that take the place of
    /// `listen.*`. `isLoopback` may ask the resolver, and so block.
    mutating func checkReach(
        activated: [ListenerName: Endpoint] = [:],
        isLoopback: (Endpoint) -> Bool = { $0.isLoopback() }
    ) {
        for listener in ListenerName.allCases {
            let inherited = activated[listener]
            guard let endpoint = inherited ?? configuration.listen[listener],
                !isLoopback(endpoint)
            else { continue }
            let place =
                inherited == nil ? "\(endpoint)" : "\(endpoint), the socket that systemd opened"
            checkExposure(of: listener, at: place)
            noteClearText(on: listener, at: place)
        }
    }

    /// Whether other machines could come in without showing who they are.
    private mutating func checkExposure(of listener: ListenerName, at place: String) {
        let auth = configuration.auth
        guard !auth.isRequired, !auth.isAnonymousAllowed, !asksForCertificate(listener) else {
            return
        }
        report(
            [listener.key, "auth.required", "auth.allow_anonymous"],
            ValueFault(
                "other machines can connect to \(place), and nobody is asked for a token",
                remedy: "set auth.required to true and make tokens with `starling token "
                    + "create`, or auth.allow_anonymous to true if whoever can connect may "
                    + "come in"))
    }

    /// Not refused: a proxy or a tunnel in between may speak TLS.
    private mutating func noteClearText(on listener: ListenerName, at place: String) {
        let tls = configuration.tls
        guard configuration.auth.isRequired, !configuration.speaksTLS(listener) else { return }
        let remedy =
            tls.isOn
            ? "add \(listener.rawValue) to tls.listeners"
            : "set tls.certificate_file and tls.key_file"
        addSecurityNotes([
            "\(listener.key): clients send their tokens to \(place), in clear text for everybody "
                + "on the way; \(remedy), or listen on the loopback behind what speaks TLS"
        ])
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

    /// Whether nobody comes in at `listener`, which is no unix socket, without a certificate.
    private func asksForCertificate(_ listener: ListenerName) -> Bool {
        configuration.speaksTLS(listener)
            && configuration.tls.settings.clientAuthentication == .required
    }
}

extension ListenerName {
    /// Its key.
    fileprivate var key: String { "listen.\(rawValue)" }
}

extension Configuration {
    /// Whether `listener`, where it is no unix socket, speaks TLS.
    fileprivate func speaksTLS(_ listener: ListenerName) -> Bool {
        tls.isOn && tls.listeners.contains(listener)
    }
}

extension Configuration.Listen {
    /// Where a listener is to be; nil is off.
    fileprivate subscript(listener: ListenerName) -> Endpoint? {
        switch listener {
        case .grpc: grpc
        case .http: http
        case .api: api
        case .jaeger: jaeger
        }
    }
}
