// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

/// `starling trace`: one trace as a waterfall.
struct TraceVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Show one trace as a waterfall.",
        discussion: """
            Each line is a span below its parent: when it ran within the trace, how long, the \
            service and its name. Spans whose parent is not stored stand at the left, marked with ?.

            Examples:
              starling trace 5b8efff798038103d269b633813fc60c
              starling trace 5b8efff798038103d269b633813fc60c --json | jq '.spans[].attributes'
            """)

    @Argument(help: "The trace id: 32 or 16 hexadecimal digits.")
    var id: String

    @OptionGroup var answer: AnswerOptions

    func run() throws {
        try answer.run("/api/traces/\(QueryClient.encoded(id))", []) { trace in
            print(Waterfall(of: trace, Colours.ofThisProcess).text)
            for warning in trace.texts("warnings") { StandardError.write("note: \(warning)\n") }
        }
    }
}
