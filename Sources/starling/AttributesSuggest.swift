// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Attributes {
    /// `starling attributes suggest`.
    struct Suggest: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say which attributes would make rows smaller in a column of their own.",
            discussion: """
                Looks at a sample of the newest rows, never at whole tables. Sizes are bytes per \
                row, over all rows, before compression; a saving below 0 is a cost. Rows that are \
                stored already stay as they are. CONSISTENT is how many of the values are of the \
                type; the others stay in jsonb. The size is one reason for a column: another is \
                that its values are searched for.

                Examples:
                  starling attributes suggest
                  starling attributes suggest --signal logs --limit 5 --sample-rows 100000 --json
                """)

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "Only attributes of one signal: traces or logs.")
        var signal: SignalName?

        @Option(help: ArgumentHelp("Show so many at most.", valueName: "n"))
        var limit = 20

        @OptionGroup var sample: SampleOptions

        @Flag(help: "Print one JSON object.")
        var json = false

        func validate() throws {
            guard signal != .metrics else {
                throw ValidationError(
                    "attributes of metrics have typed tables already; write traces or logs")
            }
            guard limit > 0 else { throw ValidationError("--limit is \(limit); write 1 or more") }
        }

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let scopes: [AttributeScope] =
                switch signal {
                case .traces: [.spans]
                case .logs: [.logs]
                default: [.spans, .logs]
                }
            let survey = try DatabaseAttributes(loaded.configuration).suggest(
                scopes, sampleRowCountMax: sample.sampleRows)
            let items = survey.items.prefix(limit)
            guard !json else {
                return print(
                    JSONText.object([
                        ("sample", survey.sampleJSON),
                        ("suggestions", .list(items.map(Self.object))),
                    ]))
            }
            var table = TextTable(
                "SCOPE", "KEY", "TYPE", "SAVING", "BYTES", "ROWS", "CONSISTENT", "DISTINCT")
            for item in items {
                table.append(
                    item.scope.rawValue, item.key, item.type,
                    DecimalText.text(item.savingPerRow, digits: 1),
                    DecimalText.text(item.bytesPerRow, digits: 1), PercentText.text(item.rowShare),
                    PercentText.text(item.typeShare), "\(item.distinctEstimate)")
            }
            if !table.isEmpty { print(table.text) }
            StandardError.write(
                "\(items.count) of \(survey.items.count) attributes without a column; looked at "
                    + "\(survey.sampleText)\n")
        }

        private static func object(_ item: PromotionEstimate) -> JSONText {
            .object([
                ("scope", .text(item.scope.rawValue)), ("key", .text(item.key)),
                ("type", .text(item.type)),
                ("saving_bytes_per_row", .rounded(item.savingPerRow, digits: 3)),
                ("bytes_per_row", .rounded(item.bytesPerRow, digits: 3)),
                ("row_share", .rounded(item.rowShare, digits: 6)),
                ("type_share", .rounded(item.typeShare, digits: 6)),
                ("distinct_estimate", .number(item.distinctEstimate)),
            ])
        }
    }
}
