// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector

/// `starling serve`: the daemon with a database that exists.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Receive OTLP and store it in the configured database.",
        discussion: """
            Runs in the foreground until SIGTERM or SIGINT, then finishes what it has received; \
            a second one ends it at once. SIGHUP reads the configuration again. Tells systemd \
            when it is ready (Type=notify), and that it is well (WatchdogSec=).

            The database must have the schema of this version: see `starling migrate`.

            Examples:
              starling serve --config /etc/starling/starling.yaml
              starling serve --set database.url=postgresql://localhost/starling \\
                  --set listen.grpc=0.0.0.0:4317 --set auth.required=true
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let sources = options.sources(isDatabaseRequired: true, isForDaemon: true)
        let service = try Service(sources: sources)
        try service.run { _ in }
    }
}
