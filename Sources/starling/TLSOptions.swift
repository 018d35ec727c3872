// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector
internal import Socket
internal import TLS

/// The options of the verbs that connect to a daemon.
struct TLSOptions: ParsableArguments {
    @Flag(help: "Use TLS, and check the daemon's certificate; https:// does so as well.")
    var tls = false

    @Option(
        help: ArgumentHelp(
            "The authorities that may have issued the daemon's certificate (PEM).",
            discussion: "Default: those that the system trusts.", valueName: "file"),
        completion: .file())
    var caFile: String?

    @Option(
        help: ArgumentHelp("The certificate to show (PEM).", valueName: "file"),
        completion: .file())
    var certificateFile: String?

    @Option(
        help: ArgumentHelp("The private key of that certificate (PEM).", valueName: "file"),
        completion: .file())
    var keyFile: String?

    @Option(
        help: ArgumentHelp(
            "The name that the daemon's certificate must have.",
            discussion: "Default: the host that is connected to.", valueName: "name"))
    var serverName: String?

    func validate() throws {
        if (certificateFile == nil) != (keyFile == nil) {
            throw ValidationError("--certificate-file and --key-file belong together; give both")
        }
    }

    /// Whether any of them asks for TLS.
    var isWanted: Bool {
        tls || caFile != nil || certificateFile != nil || serverName != nil
    }

    /// What to connect with; nil where nothing asks for TLS.
    ///
    /// - Parameters:
    ///   - isSecure: Whether the address asks for TLS; nil where it does not say.
    ///   - pinnedFile: The daemon's own certificate, where it is at hand; used where no option
    ///     says whom to trust.
    func context(
        for endpoint: Endpoint, isSecure: Bool?, pinnedFile: String = "",
        protocols: [ApplicationLayerProtocol]
    ) throws -> TLSClientContext? {
        if isSecure == false, isWanted {
            throw ValidationError("http:// is without TLS; write https://, or no scheme")
        }
        guard isWanted || isSecure == true || !pinnedFile.isEmpty else { return nil }
        guard case .tcp(let host, _) = endpoint else {
            throw ValidationError("unix sockets are without TLS; leave out --tls and its files")
        }
        return try TLSClientContext(
            authorityFile: caFile ?? "",
            pinnedFile: caFile == nil && serverName == nil ? pinnedFile : "",
            certificateFile: certificateFile ?? "", keyFile: keyFile ?? "",
            serverName: serverName ?? host, protocols: protocols)
    }
}

/// An address as people write it, with or without a scheme.
struct SchemedAddress {
    let address: String
    /// Nil where no scheme says it.
    let isSecure: Bool?

    init(_ text: String) {
        var rest = text[...]
        if text.hasPrefix("http://") {
            rest = rest.dropFirst(7)
            isSecure = false
        } else if text.hasPrefix("https://") {
            rest = rest.dropFirst(8)
            isSecure = true
        } else {
            isSecure = nil
        }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        address = String(rest)
    }

    /// Where `text`, the value of --endpoint, is.
    static func endpoint(_ text: String) throws -> Endpoint {
        do {
            if let target = try Endpoint.parse(SchemedAddress(text).address) { return target }
        } catch {
            throw ValidationError("--endpoint \(text): \(error.problem); \(error.remedy)")
        }
        throw ValidationError("--endpoint is empty; write HOST:PORT or unix:PATH")
    }
}

extension TLSFault {
    /// The option that is to blame.
    var optionName: String {
        switch subject {
        case .certificate: "--certificate-file"
        case .key: "--key-file"
        case .clientCA: "--ca-file"
        case .crl: "tls.crl_file"
        }
    }
}
