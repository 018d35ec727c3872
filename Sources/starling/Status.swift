// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector

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

    @Flag(help: "Print the answer as one JSON object.")
    var json = false

    @OptionGroup var connection: APIOptions

    func run() throws {
        let text = try StatusClient(connection.client()).status(json ? .json : .text)
        print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
    }
}
