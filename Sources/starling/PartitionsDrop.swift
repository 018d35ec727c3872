// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector
internal import Synchronization

extension Partitions {
    /// `starling partitions drop`.
    struct Drop: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Drop partitions, and say how many bytes that freed.",
            discussion: """
                Name partitions, or choose --expired (what the retention policy lets go; the \
                daemon does that by itself) or --older-than. There is no way back: try --dry-run \
                first. Each is detached concurrently, so nobody waits for it. What transactions \
                still use stays for now, and is reported; exits with 1 then.

                Examples:
                  starling partitions drop --expired --dry-run
                  starling partitions drop --older-than 90d --signal logs
                  starling partitions drop otel_spans_fact_p20261121
                """)

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "Names, as `starling partitions list` shows them.")
        var names: [String] = []

        @Flag(help: "What the retention policy lets go.")
        var expired = false

        @Option(
            help: ArgumentHelp(
                "Those whose whole range is older, for example 90d.", valueName: "duration"),
            transform: DurationArgument.parse)
        var olderThan: Int64?

        @Option(help: "With --older-than: only those of one signal.")
        var signal: SignalName?

        @Flag(help: "Only print what would be dropped.")
        var dryRun = false

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws {
            let ways = [!names.isEmpty, expired, olderThan != nil].count { $0 }
            guard ways == 1 else {
                throw ValidationError("name partitions, or give one of --expired and --older-than")
            }
            if signal != nil && olderThan == nil {
                throw ValidationError("--signal goes with --older-than")
            }
        }

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let maintenance = DatabaseMaintenance(loaded.configuration)
            let progress = DropProgress()
            let result = ProgressLine.showing(
                { progress.text },
                while: {
                    Result { () throws(DaemonError) in
                        try maintenance.drop(selection, isDryRun: dryRun, progress: progress.note)
                    }
                })
            let drops = try result.get()
            print(drops)
            if drops.contains(where: { $0.fault != nil }) { throw ExitCode(Failure.other) }
        }

        private var selection: DatabaseMaintenance.Selection {
            if let olderThan { return .olderThan(ageNs: olderThan, signal?.signal) }
            return expired ? .expired : .named(names)
        }

        private func print(_ drops: [DatabaseMaintenance.Drop]) {
            let freedBytes = drops.reduce(0) {
                $0 + ((dryRun ? $1.partition.sizeBytes : $1.freedBytes) ?? 0)
            }
            guard !json else { return Swift.print(object(drops, freedBytes: freedBytes)) }
            for drop in drops {
                let size = SizeText.text(bytes: drop.freedBytes ?? drop.partition.sizeBytes)
                let outcome = drop.fault.map { "stays: \($0)" } ?? "\(size), \(drop.reason)"
                Swift.print("\(drop.partition.name) \(outcome)")
            }
            let count = drops.count { $0.fault == nil }
            StandardError.write(
                "\(count) partitions \(dryRun ? "would be dropped" : "dropped"), "
                    + "\(SizeText.text(bytes: freedBytes)) \(dryRun ? "to be freed" : "freed")\n")
        }

        private func object(
            _ drops: [DatabaseMaintenance.Drop], freedBytes: Int64
        ) -> JSONText {
            let partitions = drops.map { drop in
                JSONText.object(
                    drop.partition.jsonFields + [
                        ("bytes", .number(drop.partition.sizeBytes)),
                        ("bytes_freed", .number(drop.freedBytes)),
                        ("reason", .text(drop.reason)), ("error", .text(drop.fault)),
                    ])
            }
            return .object([
                ("dry_run", .truth(dryRun)), ("bytes_freed", .number(dryRun ? 0 : freedBytes)),
                ("partitions", .list(partitions)),
            ])
        }
    }
}

/// How far a drop is, for the line on the terminal.
private final class DropProgress: Sendable {
    private let state = Mutex((doneCount: 0, count: 0, freedBytes: Int64(0)))

    func note(doneCount: Int, count: Int, freedBytes: Int64) {
        state.withLock { $0 = (doneCount, count, freedBytes) }
    }

    var text: String {
        let now = state.withLock { $0 }
        return "\(now.doneCount) of \(now.count) partitions, "
            + "\(SizeText.text(bytes: now.freedBytes)) freed"
    }
}
