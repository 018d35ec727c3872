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
        for reached in configuration.reached(activated: activated, isLoopback: isLoopback) {
            checkExposure(of: reached.listener, at: reached.place)
            noteClearText(on: reached.listener, at: reached.place)
        }
    }

    /// Whether other machines could come in without showing who they are.
    private mutating func checkExposure(of listener: ListenerName, at place: String) {
        guard !configuration.asksWhoComesIn(at: listener) else { return }
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
}

extension ListenerName {
    /// Its key.
    fileprivate var key: String { "listen.\(rawValue)" }
}

extension Configuration {
    /// What is wrong with this, as what a reload makes of the running configuration: listeners
    /// where other machines would come in without showing who they are.
    ///
    /// A file may be right and this is not, where the file replaces certificates by tokens: the
    /// first takes effect at once, the second needs a restart.
    func problemsOfReload(
        activated: [ListenerName: Endpoint],
        isLoopback: (Endpoint) -> Bool = { $0.isLoopback() }
    ) -> [ConfigurationProblem] {
        reached(activated: activated, isLoopback: isLoopback)
            .filter { !asksWhoComesIn(at: $0.listener) }
            .map { reached in
                ConfigurationProblem(
                    place: nil, key: "tls.client_auth", value: nil,
                    problem: "other machines can connect to \(reached.place) "
                        + "(\(reached.listener.key)), and until a restart nobody would be asked "
                        + "who they are",
                    remedy: "restart the daemon, which takes all of the file over at once")
            }
    }

    /// Listeners that other machines can connect to, with where they are in words.
    fileprivate func reached(
        activated: [ListenerName: Endpoint], isLoopback: (Endpoint) -> Bool
    ) -> [(listener: ListenerName, place: String)] {
        ListenerName.allCases.compactMap { listener in
            let inherited = activated[listener]
            guard let endpoint = inherited ?? listen[listener], !isLoopback(endpoint) else {
                return nil
            }
            let place =
                inherited == nil ? "\(endpoint)" : "\(endpoint), the socket that systemd opened"
            return (listener, place)
        }
    }

    /// Whether who comes in at `listener`, which is no unix socket, has to show who they are; true
    /// as well where the operator does not want that.
    fileprivate func asksWhoComesIn(at listener: ListenerName) -> Bool {
        auth.isRequired || auth.isAnonymousAllowed
            || speaksTLS(listener) && tls.settings.clientAuthentication == .required
    }

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
