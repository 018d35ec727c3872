// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector
internal import Socket
internal import TLS

/// Where the API of the daemon is that a verb asks, and who asks.
struct APIOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the daemon's API is: http(s)://HOST:PORT, HOST:PORT or unix:PATH.",
            discussion: "Default: listen.api of the configuration.", valueName: "url"))
    var api: String?

    @OptionGroup var tokenOptions: TokenOptions
    @OptionGroup(title: "TLS") var security: TLSOptions
    @OptionGroup var options: ConfigurationOptions

    /// `patienceMs` is how long an answer may take.
    func client(patienceMs: Int = 5_000) throws -> APIClient {
        let target = try target()
        return try APIClient(
            target, token: tokenOptions.token(), context: context(for: target),
            patienceMs: patienceMs)
    }

    private func target() throws -> Endpoint {
        let written = try api.map(APIOptions.address)
        let configured = try written ?? configuration().listen.api
        guard let endpoint = configured else {
            throw ValidationError("listen.api is empty, so no daemon answers; name one with --api")
        }
        if case .tcp(_, port: 0) = endpoint {
            throw ValidationError(
                "the port of listen.api is 0, for one that the kernel chooses; name the real one "
                    + "with --api")
        }
        return endpoint
    }

    private func configuration() throws -> Configuration {
        try options.sources(isDatabaseRequired: false).load().configuration
    }

    private func context(for target: Endpoint) throws -> TLSClientContext? {
        let isSecure = api.flatMap { SchemedAddress($0).isSecure }
        let pinned = try api == nil && !target.isUnix ? pinnedFile() : ""
        return try security.context(
            for: target, isSecure: isSecure, pinnedFile: pinned, protocols: [.http1])
    }

    /// The certificate of the daemon that is configured; empty where its API is without TLS.
    private func pinnedFile() throws -> String {
        let tls = try configuration().tls
        return tls.listeners.contains(.api) ? tls.settings.certificateFile : ""
    }

    private static func address(_ url: String) throws -> Endpoint {
        do {
            if let endpoint = try Endpoint.parse(SchemedAddress(url).address) { return endpoint }
        } catch {
            throw ValidationError("--api \(url): \(error.problem); \(error.remedy)")
        }
        throw ValidationError("--api is empty; write host:port or unix:PATH")
    }
}
