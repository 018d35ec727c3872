// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Partitions {
    /// `starling partitions ensure`.
    struct Ensure: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the partitions that are missing around now.",
            discussion: """
                Useful before a backfill, or where the account of the daemon may not make tables. \
                Prints what is made, one line each. Nobody waits meanwhile.

                Examples:
                  starling partitions ensure --dry-run
                  starling partitions ensure --past 14d --ahead 30d
                """)

        @OptionGroup var options: ConfigurationOptions

        @Option(
            help: ArgumentHelp(
                "How far back from now, for example 14d.", valueName: "duration"),
            transform: DurationArgument.parse)
        var past: Int64 = 0

        @Option(
            help: ArgumentHelp(
                "How far ahead of now. Default: partitions.ahead.", valueName: "duration"),
            transform: DurationArgument.parse)
        var ahead: Int64?

        @Flag(help: "Only print what would be made.")
        var dryRun = false

        @Flag(help: "Print a JSON array of objects.")
        var json = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let made = try DatabaseMaintenance(loaded.configuration).ensure(
                pastNs: past, aheadNs: ahead, isDryRun: dryRun)
            if json {
                print(JSONText.list(made.map { .object($0.jsonFields) }))
            } else {
                for partition in made {
                    print("\(partition.name) \(partition.fromText) to \(partition.untilText)")
                }
            }
            StandardError.write(
                "\(made.count) partitions \(dryRun ? "would be made" : "made")\n")
        }
    }
}

/// Durations as arguments, in the form of the configuration.
enum DurationArgument {
    /// Nanoseconds, at most ten years.
    static func parse(_ text: String) throws -> Int64 {
        do {
            let ns = try Quantity.durationNs(text)
            if ns <= maxNs { return ns }
        } catch {
            throw ValidationError("\(text): \(error.problem); \(error.remedy)")
        }
        throw ValidationError("\(text) is more than ten years")
    }

    private static let maxNs: Int64 = 3_660 * 86_400_000_000_000
}
