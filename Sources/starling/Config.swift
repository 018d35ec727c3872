// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector

/// `starling config`: looks at the configuration without acting on it.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check or print the configuration.",
        subcommands: [Check.self, Print.self])
}

extension Config {
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say everything that is wrong with the configuration.",
            discussion: """
                Exits with 0 if `starling serve` would accept the configuration, else with 78. \
                With --connect also looks at the database: exits with 69 if it cannot be \
                reached.

                Examples:
                  starling config check --config /etc/starling/starling.yaml
                  starling config check --connect --set database.url=postgresql://localhost/starling
                """)

        @OptionGroup var options: ConfigurationOptions

        @Flag(help: "Connect to the database, and look whether migrations are pending.")
        var connect = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true, isForDaemon: true).load()
            for note in loaded.configuration.notes { StandardError.write("note: \(note)\n") }
            print("The configuration is valid.")
            guard connect else { return }
            let status = try DatabaseSchema(loaded.configuration).status()
            print("The database is reached: PostgreSQL \(status.serverVersion).")
            if status.pending.isEmpty, status.pendingColumns.isEmpty {
                print("The schema is current.")
            } else if status.pending.isEmpty {
                print(
                    "\(status.pendingColumns.count) attributes have no column yet: "
                        + "run `starling migrate`.")
            } else {
                print("\(status.pending.count) migrations are pending: run `starling migrate`.")
            }
        }
    }

    struct Print: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the values in force, every key, as YAML.",
            discussion: """
                Passwords are masked. Exits with 78 if the configuration is wrong.

                Examples:
                  starling config print
                  starling config print --sources --set log.level=debug
                """)

        @OptionGroup var options: ConfigurationOptions

        @Flag(help: "Say behind each value where it came from.")
        var sources = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: false).load()
            print(loaded.listing(isShowingOrigins: sources), terminator: "")
        }
    }
}
