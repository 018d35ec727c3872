// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector
internal import Postgres
internal import Synchronization

extension DeadLetters {
    /// `starling dead-letters replay`.
    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try to store dead letters again, oldest first.",
            discussion: """
                After the cause is gone: a constraint was dropped, a column was widened, \
                partitions.accept_past was raised. What is stored is no dead letter any more; \
                what fails again stays, and its retry count goes up. It works by itself, with or \
                without a daemon, and may be cut short and repeated: a letter goes in the \
                transaction that stores its item. Exits with 1 when some failed again.

                Examples:
                  starling dead-letters replay --sqlstate 23514
                  starling dead-letters replay 17 18 19
                  starling dead-letters replay --all --dry-run
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var chosen: DeadLetterOptions

        @Flag(help: "All there are.")
        var all = false

        @Option(help: "At most so many.")
        var limit = 100_000_000

        @Flag(help: "Only print how many would be tried.")
        var dryRun = false

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws {
            try DeadLetters.check(limit: limit)
            try DeadLetters.check(chosen, all: all)
        }

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            guard !dryRun else {
                let total = try DatabaseMaintenance(loaded.configuration).purgeDeadLetters(
                    chosen.filter, isDryRun: true
                ) { _, _ in }
                var summary = Summary()
                summary.count = min(total.count, Int64(limit))
                return print(summary)
            }
            let replay = DeadLetterReplay(loaded.configuration)
            let state = Mutex(Summary())
            let result = ProgressLine.showing(
                {
                    let now = state.withLock { $0 }
                    return "\(now.storedCount + now.failedCount + now.skippedCount) of "
                        + "\(now.count) tried, \(now.storedCount) stored"
                },
                while: {
                    Result { () throws(DaemonError) in
                        try replay.run(chosen.filter, limit: limit) { summary in
                            state.withLock { $0 = summary }
                        }
                    }
                })
            let summary = try result.get()
            print(summary)
            if summary.failedCount > 0 { throw ExitCode(Failure.other) }
        }

        private typealias Summary = DeadLetterReplay.Summary

        private func print(_ summary: Summary) {
            guard !json else {
                return Swift.print(
                    JSONText.object([
                        ("dry_run", .truth(dryRun)), ("letters", .number(summary.count)),
                        ("stored", .number(summary.storedCount)),
                        ("failed", .number(summary.failedCount)),
                        ("skipped", .number(summary.skippedCount)),
                        ("first_failure", .text(summary.firstFailure)),
                    ]))
            }
            guard !dryRun else {
                return Swift.print("\(summary.count) dead letters would be tried")
            }
            Swift.print(
                "\(summary.storedCount) stored, \(summary.failedCount) failed again, "
                    + "\(summary.skippedCount) gone meanwhile")
            if let failure = summary.firstFailure {
                StandardError.write("starling: the first that failed: \(failure)\n")
            }
        }
    }

    /// Whoever changes something says what.
    static func check(_ chosen: DeadLetterOptions, all: Bool) throws {
        guard chosen.isEmpty == all else {
            throw ValidationError(
                all
                    ? "--all goes without numbers and filters"
                    : "give numbers, filters, or --all")
        }
    }
}
