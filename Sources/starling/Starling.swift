// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import CLinux
internal import Collector

/// The command. Data goes to standard output, everything else to standard error.
@main
struct Starling: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "starling",
        abstract: "Receive OpenTelemetry data and store it in PostgreSQL.",
        discussion: """
            What is acknowledged to a client is committed; what is not acknowledged the client \
            sends again.

            To try it, with a private PostgreSQL:
              starling up

            With a database of yours:
              export STARLING_DATABASE_URL=postgresql://starling@localhost/starling
              starling migrate
              starling serve

            Exit codes: 0 ok; 2 migrations are pending (migrate --check); 64 wrong usage; 69 the \
            database (for clients of the daemon: the daemon) cannot be reached; 78 wrong \
            configuration; 1 anything else.
            """,
        version: "starling \(Version.text)",
        subcommands: [
            Up.self, Serve.self, Migrate.self, Status.self, Config.self, Partitions.self,
            Retention.self, Tokens.self, Attributes.self, DeadLetters.self, Send.self,
            QueryVerb.self, TraceVerb.self, TailVerb.self, ExportVerb.self, ImportVerb.self,
        ])

    /// Parses, runs, and turns every error into its text and its exit code.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard let failure = Failure(error) else { exit(withError: error) }
            StandardError.write(failure.text + "\n")
            exit(withError: ExitCode(failure.exitCode))
        }
    }
}
