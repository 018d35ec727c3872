// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Partitions {
    /// `starling partitions list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List partitions with their range, rows and size.",
            discussion: """
                Rows are the server's estimate; sizes include indexes. States: live takes rows; \
                closed is over and has its indexes for searching; detaching and detached are on \
                their way out.

                Examples:
                  starling partitions list
                  starling partitions list --signal traces --json
                """)

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "Only those of one signal.")
        var signal: SignalName?

        @Flag(help: "Print a JSON array of objects.")
        var json = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let partitions = try DatabaseMaintenance(loaded.configuration).partitions()
                .filter { signal == nil || $0.signal == signal?.signal }
            guard !json else { return print(JSONText.list(partitions.map(Self.object))) }
            var table = TextTable("PARTITION", "FROM", "UNTIL", "ROWS", "SIZE", "STATE")
            for partition in partitions {
                table.append(
                    partition.name, partition.fromText, partition.untilText,
                    "\(partition.rowCountEstimate)", SizeText.text(bytes: partition.sizeBytes),
                    partition.state)
            }
            if !table.isEmpty { print(table.text) }
            let sizeBytes = partitions.reduce(0) { $0 + $1.sizeBytes }
            StandardError.write(
                "\(partitions.count) partitions, \(SizeText.text(bytes: sizeBytes))\n")
        }

        private static func object(_ partition: DatabaseMaintenance.Partition) -> JSONText {
            .object(
                partition.jsonFields + [
                    ("rows", .number(partition.rowCountEstimate)),
                    ("bytes", .number(partition.sizeBytes)), ("state", .text(partition.state)),
                ])
        }
    }
}
