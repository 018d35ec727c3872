// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Attributes {
    /// `starling attributes list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List attributes with their types, and where they are stored.",
            discussion: """
                Shares are those of a sample of the newest rows: how many rows have the attribute, \
                and how much it takes of all bytes of attributes. Those of resources, scopes and \
                metric series count each distinct one once.

                States: promoted has a column; pending is to get one by `starling migrate` or when \
                the daemon starts; unused has one that is no longer wanted; other type has one, \
                but for other values; dropped is not stored; unpromoted is in jsonb.

                Examples:
                  starling attributes list --signal traces
                  starling attributes list --scope resource --json
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var scopes: ScopeOptions
        @OptionGroup var sample: SampleOptions

        @Flag(help: "Also promoted attributes that no row of the sample has.")
        var all = false

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let survey = try DatabaseAttributes(loaded.configuration).list(
                scopes.chosen.map { [$0] } ?? AttributeScope.allCases,
                sampleRowCountMax: sample.sampleRows)
            let items = survey.items.filter {
                all || $0.state != .promoted && $0.state != .unused || $0.rowShare > 0
            }
            guard !json else {
                return print(
                    JSONText.object([
                        ("sample", survey.sampleJSON),
                        ("attributes", .list(items.map(Self.object))),
                    ]))
            }
            var table = TextTable("SCOPE", "KEY", "TYPE", "STATE", "ROWS", "BYTES")
            for item in items {
                table.append(
                    item.scope.rawValue, item.key, item.type, item.state.rawValue,
                    PercentText.text(item.rowShare), PercentText.text(item.byteShare))
            }
            if !table.isEmpty { print(table.text) }
            StandardError.write("\(items.count) attributes; looked at \(survey.sampleText)\n")
        }

        private static func object(_ item: AttributeListing) -> JSONText {
            .object([
                ("scope", .text(item.scope.rawValue)), ("key", .text(item.key)),
                ("type", .text(item.type)), ("state", .text(item.state.rawValue)),
                ("row_share", .rounded(item.rowShare, digits: 6)),
                ("byte_share", .rounded(item.byteShare, digits: 6)),
            ])
        }
    }
}
