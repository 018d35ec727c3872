// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector
internal import Socket
internal import TLS

/// `starling status`: how a running daemon is doing.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how a running daemon is doing, on one screen.",
        discussion: """
            Asks the daemon on the listen.api of the configuration, or on --api, for its \
            endpoints, throughput, acknowledgement latency, queue, memory, partitions and the \
            state of its database.

            Where the daemon of this configuration speaks TLS there, its very certificate is \
            expected, unless --ca-file or --server-name say otherwise.

            Exits with 0 when a daemon answered, whatever it said, and with 69 when none did. \
            Whether it can take requests is what GET /readyz is for.

            Examples:
              starling status
              starling status --api http://collector.example:8080
              starling status --token-file /etc/starling/status.token
              starling status --api https://collector.example:8080 --ca-file ca.pem
              starling status --api unix:/run/starling/api.sock --json
            """)

    @Option(
        help: ArgumentHelp(
            "Where the daemon's API is: http(s)://HOST:PORT, HOST:PORT or unix:PATH.",
            discussion: "Default: listen.api of the configuration.", valueName: "url"))
    var api: String?

    @Flag(help: "Print the answer as one JSON object.")
    var json = false

    @OptionGroup var tokenOptions: TokenOptions
    @OptionGroup(title: "TLS") var security: TLSOptions
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let target = try target()
        let client = try StatusClient(
            target, token: tokenOptions.token(), context: context(for: target))
        let text = try client.status(json ? .json : .text)
        print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    }

    private func target() throws -> Endpoint {
        let written = try api.map(Status.address)
        let configured = try written ?? configuredAddress()
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

    private func configuredAddress() throws -> Endpoint? { try configuration().listen.api }

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
