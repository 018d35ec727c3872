// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Attributes {
    /// `starling attributes promote`.
    struct Promote: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give attributes a column of their own.",
            discussion: """
                Writes them into the file that attributes.overrides_file names, comments and all, \
                and adds the columns; nobody waits longer than a fraction of a second. Values of \
                rows to come go there once the daemon has read the file: by a reload (SIGHUP), or \
                at its next start. Rows that are stored stay as they are, and the views show both \
                alike. May be repeated.

                TYPE is string, int, double, bool or bytes; without it that of the newest values. \
                Without --signal or --scope: spans and logs, where the key is seen.

                Examples:
                  starling attributes promote app.tenant --dry-run
                  starling attributes promote app.tenant app.retries:int --signal traces
                """)

        @OptionGroup var options: ConfigurationOptions

        @Argument(
            help: ArgumentHelp("Names of attributes.", valueName: "key[:type]"),
            transform: AttributeArgument.parse)
        var attributes: [DatabaseAttributes.Request]

        @OptionGroup var scopes: ScopeOptions
        @OptionGroup var sample: SampleOptions

        @Flag(help: "Only print what would change.")
        var dryRun = false

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let outcome = try DatabaseAttributes(loaded.configuration).promote(
                attributes, scopes: scopes.chosen.map { [$0] },
                sampleRowCountMax: sample.sampleRows, isDryRun: dryRun)
            if json {
                print(object(outcome))
            } else {
                for item in outcome.promoted { print(line(item)) }
            }
            if outcome.isRewritten {
                StandardError.write(
                    dryRun
                        ? "the layout of \(outcome.path) cannot be kept\n"
                        : "the layout of \(outcome.path) could not be kept; its old text is in "
                            + "\(outcome.path).old\n")
            }
            guard !dryRun else { return }
            StandardError.write(
                "a running daemon fills the columns after a reload (`systemctl reload starling`, "
                    + "or SIGHUP), or from its next start; until then values go to jsonb\n"
            )
        }

        private func line(_ item: DatabaseAttributes.Promoted) -> String {
            let name = "\(item.scope.rawValue) \(item.key) \(item.type)"
            if dryRun {
                return name + (item.wasInFile ? ", in the file already" : ", to be promoted")
            }
            let column = item.newColumn.map { ", new column \($0)" } ?? ""
            return name + (item.wasInFile ? ", in the file already" : ", promoted") + column
        }

        private func object(_ outcome: DatabaseAttributes.Outcome) -> JSONText {
            let items = outcome.promoted.map { item in
                JSONText.object([
                    ("scope", .text(item.scope.rawValue)), ("key", .text(item.key)),
                    ("type", .text(item.type)), ("was_in_file", .truth(item.wasInFile)),
                    ("new_column", .text(item.newColumn)),
                ])
            }
            return .object([
                ("dry_run", .truth(dryRun)), ("file", .text(outcome.path)),
                ("promoted", .list(items)),
            ])
        }
    }
}

/// `KEY` or `KEY:TYPE`.
enum AttributeArgument {
    private static let types = ["string", "int", "double", "bool", "bytes"]
    private static let keySizeBytesMax = 512

    static func parse(_ text: String) throws -> DatabaseAttributes.Request {
        guard let colon = text.lastIndex(of: ":") else { return try request(text, type: nil) }
        let type = String(text[text.index(after: colon)...])
        guard types.contains(type) else {
            // A name that has colons itself is told from a slip in the type by one at its end.
            if type.isEmpty { return try request(String(text[..<colon]), type: nil) }
            throw ValidationError(
                "\(text): there is no type \(type); write one of \(types.joined(separator: ", ")), "
                    + "or a colon at the end where the name itself has one")
        }
        return try request(String(text[..<colon]), type: type)
    }

    private static func request(
        _ key: String, type: String?
    ) throws -> DatabaseAttributes.Request {
        guard (1...keySizeBytesMax).contains(key.utf8.count) else {
            throw ValidationError("a name has 1 to \(keySizeBytesMax) bytes")
        }
        return DatabaseAttributes.Request(key: key, type: type)
    }
}
