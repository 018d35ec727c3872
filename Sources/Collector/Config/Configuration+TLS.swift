// SPDX-License-Identifier: Apache-2.0
internal import Base
package import TLS

/// A listener by its name in the configuration (`listen.grpc`, …).
package enum ListenerName: String, Sendable, CaseIterable {
    case grpc, http, api, jaeger
}

extension Configuration {
    package struct Security: Sendable, Equatable {
        /// `tls.certificate_file` and its neighbours.
        package internal(set) var settings = TLSSettings()
        /// `tls.handshake_timeout`.
        package internal(set) var handshakeTimeoutMs = 0
        /// `tls.listeners`. Those that speak TLS once there is a certificate.
        package internal(set) var listeners: [ListenerName] = []
        /// `tls.reload_interval`. How often the files are looked at.
        package internal(set) var reloadIntervalMs = 0
        /// What is odd about the files, or about listeners without TLS, and no error; filled where
        /// a daemon is to be started.
        package internal(set) var notes: [String] = []

        /// Whether TLS is spoken at all.
        package var isOn: Bool { !settings.certificateFile.isEmpty }
    }
}

// MARK: Keys

extension ConfigurationKey {
    static let security = [
        ConfigurationKey(
            "tls.certificate_file", \.tls.settings.certificateFile, .path, default: "",
            isReloadable: true,
            help: "The certificate that clients see, and those between it and its authority (PEM)"),
        ConfigurationKey(
            "tls.key_file", \.tls.settings.keyFile, .path, default: "", isReloadable: true,
            help: "The certificate's private key, without a passphrase (PEM)"),
        ConfigurationKey(
            "tls.client_ca_file", \.tls.settings.clientCAFile, .path, default: "",
            isReloadable: true,
            help: "The authorities that may have issued the certificates of clients (PEM)"),
        ConfigurationKey(
            "tls.client_auth", \.tls.settings.clientAuthentication, .choice(), default: "none",
            isReloadable: true,
            help: "Whether clients have to show a certificate"),
        ConfigurationKey(
            "tls.client_names", \.tls.settings.clientNames, .namePatterns, default: "",
            isReloadable: true,
            help: "Names of which a client's certificate has to have one; empty is any"),
        ConfigurationKey(
            "tls.crl_file", \.tls.settings.crlFile, .path, default: "", isReloadable: true,
            help: "Lists of revoked certificates, one of each authority (PEM)"),
        ConfigurationKey(
            "tls.version_min", \.tls.settings.versionMin, .choice(), default: "1.2",
            isReloadable: true,
            help: "The oldest version of TLS that is spoken"),
        ConfigurationKey(
            "tls.handshake_timeout", \.tls.handshakeTimeoutMs, .milliseconds(100...600_000),
            default: "10s", isReloadable: true,
            help: "How long a new connection may take for its handshake"),
        ConfigurationKey(
            "tls.listeners", \.tls.listeners, .listeners, default: "grpc, http, api, jaeger",
            help: "The listeners that speak TLS once there is a certificate; "
                + "unix sockets never do"),
        ConfigurationKey(
            "tls.reload_interval", \.tls.reloadIntervalMs, .milliseconds(500...86_400_000),
            default: "10s", isReloadable: true,
            help: "How often the files are looked at, to load them again when they have changed"),
    ]
}

extension ValueFormat where Value == [NamePattern] {
    /// Names of certificates.
    static var namePatterns: ValueFormat {
        ValueFormat(
            typeText: "names", unitText: "",
            rangeText: "names with commas, * for a whole label, or empty for any"
        ) { (text) throws(ValueFault) in
            try items(of: text).map { (name) throws(ValueFault) in
                if let pattern = NamePattern(name) { return pattern }
                throw ValueFault(
                    "\"\(name)\" is no name that a certificate can have",
                    remedy: "write names with commas between them; a * stands for one whole label, "
                        + "as in *.agents.example")
            }
        } text: {
            $0.map(\.description).joined(separator: ", ")
        }
    }
}

extension ValueFormat where Value == [ListenerName] {
    /// Some of the listeners.
    static var listeners: ValueFormat {
        let list = ListenerName.allCases.map(\.rawValue).joined(separator: ", ")
        return ValueFormat(typeText: "names", unitText: "", rangeText: "some of \(list)") {
            (text) throws(ValueFault) in
            let names = try items(of: text).map { (name) throws(ValueFault) in
                if let listener = ListenerName(rawValue: name) { return listener }
                throw ValueFault("\"\(name)\" is no listener", remedy: "write some of \(list)")
            }
            // In one order, so that the same set is the same value.
            return ListenerName.allCases.filter(names.contains)
        } text: {
            $0.map(\.rawValue).joined(separator: ", ")
        }
    }
}

/// What stands between commas, without the blanks around it; nothing for an empty text.
private func items(of text: String) throws(ValueFault) -> [String] {
    guard text.contains(where: { !$0.isWhitespace }) else { return [] }
    let items = text.split(separator: ",", omittingEmptySubsequences: false).map {
        String($0.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
    guard !items.contains("") else {
        throw ValueFault("there is nothing between two commas", remedy: "remove one of them")
    }
    return items
}

// MARK: Relations

extension ConfigurationLoader {
    mutating func checkSecurity() {
        let settings = configuration.tls.settings
        checkCertificate(settings)
        checkClientAuthentication(settings)
    }

    private mutating func checkCertificate(_ settings: TLSSettings) {
        if configuration.tls.isOn, settings.keyFile.isEmpty {
            report(
                ["tls.certificate_file", "tls.key_file"],
                ValueFault(
                    "a certificate is of no use without its key",
                    remedy: "set tls.key_file to the file with the private key"))
        }
        guard !configuration.tls.isOn else { return }
        let others = [
            ("tls.key_file", settings.keyFile), ("tls.client_ca_file", settings.clientCAFile),
            ("tls.crl_file", settings.crlFile),
        ]
        for (key, value) in others where !value.isEmpty {
            report(
                [key, "tls.certificate_file"],
                ValueFault(
                    "there is no certificate, so TLS is off and this has no effect",
                    remedy: "set tls.certificate_file, or remove this"))
        }
        if settings.clientAuthentication != .none {
            report(
                ["tls.client_auth", "tls.certificate_file"],
                ValueFault(
                    "there is no certificate, so TLS is off and nobody is asked for one",
                    remedy: "set tls.certificate_file and tls.key_file, or this to none"))
        }
    }

    private mutating func checkClientAuthentication(_ settings: TLSSettings) {
        guard configuration.tls.isOn else { return }
        if settings.clientAuthentication != .none, settings.clientCAFile.isEmpty {
            report(
                ["tls.client_auth", "tls.client_ca_file"],
                ValueFault(
                    "no authority is named whose certificates are accepted",
                    remedy: "set tls.client_ca_file to the file with its certificate"))
        }
        guard settings.clientAuthentication == .none else { return }
        let others = [
            ("tls.client_ca_file", settings.clientCAFile.isEmpty),
            ("tls.client_names", settings.clientNames.isEmpty),
            ("tls.crl_file", settings.crlFile.isEmpty),
        ]
        for (key, isEmpty) in others where !isEmpty {
            report(
                [key, "tls.client_auth"],
                ValueFault(
                    "clients are not asked for a certificate, so this has no effect",
                    remedy: "set tls.client_auth to required or optional, or remove this"))
        }
    }

    /// Loads the files as serving would, to say now what is wrong with them.
    mutating func loadSecurity() {
        guard configuration.tls.isOn, problems.isEmpty else { return }
        do throws(TLSFault) {
            let context = try TLSContext(configuration.tls.settings)
            addSecurityNotes(context.notes(nowUnixNs: Clock.unixNs))
        } catch {
            report(
                ["tls.\(error.subject.rawValue)"],
                ValueFault(error.problem, remedy: error.remedy))
        }
    }
}
