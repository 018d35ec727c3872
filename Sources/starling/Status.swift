// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector
internal import Socket

/// `starling status`: how a running daemon is doing.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how a running daemon is doing, on one screen.",
        discussion: """
            Asks the daemon on the listen.api of the configuration, or on --api, for its \
            endpoints, throughput, acknowledgement latency, queue, memory, partitions and the \
            state of its database.

            Exits with 0 when a daemon answered, whatever it said, and with 69 when none did. \
            Whether it can take requests is what GET /readyz is for.

            Examples:
              starling status
              starling status --api http://collector.example:8080
              starling status --token-file /etc/starling/status.token
              starling status --api unix:/run/starling/api.sock --json
            """)

    @Option(
        help: ArgumentHelp(
            "Where the daemon's API is: http://HOST:PORT, HOST:PORT or unix:PATH.",
            discussion: "Default: listen.api of the configuration.", valueName: "url"))
    var api: String?

    @Flag(help: "Print the answer as one JSON object.")
    var json = false

    @OptionGroup var tokenOptions: TokenOptions
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let client = try StatusClient(target(), token: tokenOptions.token())
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

    private func configuredAddress() throws -> Endpoint? {
        try options.sources(isDatabaseRequired: false).load().configuration.listen.api
    }

    private static func address(_ url: String) throws -> Endpoint {
        var address = url.hasPrefix("http://") ? String(url.dropFirst(7)) : url
        while address.hasSuffix("/") { address.removeLast() }
        do {
            if let endpoint = try Endpoint.parse(address) { return endpoint }
        } catch {
            throw ValidationError("--api \(url): \(error.problem); \(error.remedy)")
        }
        throw ValidationError("--api is empty; write host:port or unix:PATH")
    }
}
