// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector
internal import Postgres
internal import Synchronization

extension DeadLetters {
    /// `starling dead-letters purge`.
    struct Purge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete dead letters for good.",
            discussion: """
                There is no way back: try --dry-run first. It is noted in otel_maintenance_log.

                Examples:
                  starling dead-letters purge --reason time_outside_window --until 7d
                  starling dead-letters purge --all --dry-run
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var chosen: DeadLetterOptions

        @Flag(help: "All there are.")
        var all = false

        @Flag(help: "Only print how many would be deleted.")
        var dryRun = false

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws { try DeadLetters.check(chosen, all: all) }

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let maintenance = DatabaseMaintenance(loaded.configuration)
            let state = Mutex((doneCount: Int64(0), count: Int64(0)))
            let result = ProgressLine.showing(
                {
                    let now = state.withLock { $0 }
                    return "\(now.doneCount) of \(now.count) dead letters"
                },
                while: {
                    Result { () throws(DaemonError) in
                        try maintenance.purgeDeadLetters(chosen.filter, isDryRun: dryRun) {
                            doneCount, count in
                            state.withLock { $0 = (doneCount, count) }
                        }
                    }
                })
            let purged = try result.get()
            guard !json else {
                return print(
                    JSONText.object([
                        ("dry_run", .truth(dryRun)), ("letters", .number(purged.count)),
                        ("bytes", .number(purged.sizeBytes)),
                    ]))
            }
            let verb = dryRun ? "would be deleted" : "deleted"
            print(
                "\(purged.count) dead letters \(verb), "
                    + SizeText.text(bytes: purged.sizeBytes))
        }
    }
}
