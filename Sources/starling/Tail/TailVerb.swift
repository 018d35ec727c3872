// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

/// `starling tail`: what is stored, as it comes, out of the API of a running daemon.
struct TailVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Follow spans or log records as they are stored.",
        discussion: """
            Asks the daemon on the listen.api of the configuration, or on --api, and comes back \
            to it where it was when the connection breaks. What was not shown, because there was \
            too much of it, is counted on standard error. Ends with --limit, or Ctrl-C.

            Examples:
              starling tail logs --since 5m --filter 'severity_number>=WARN'
              starling tail spans --service shop --filter 'duration_nanos>=250ms' --json | jq .name
            """)

    enum Items: String, ExpressibleByArgument, CaseIterable {
        case spans, logs
    }

    @Argument(help: "What to follow.")
    var items: Items

    @Option(
        help: ArgumentHelp(
            "First show up to 1,000 that were stored in this time before: 5m, 1h.",
            valueName: "duration"))
    var since: String?

    @Option(help: "How many to show, and then end. Default: no end.")
    var limit: Int?

    @Flag(help: "Print each as one line of JSON, as the API has it.")
    var json = false

    @OptionGroup var filter: FilterOptions
    @OptionGroup(title: "Daemon") var connection: APIOptions

    func validate() throws {
        if let limit, limit < 1 {
            throw ValidationError("--limit is \(limit); choose 1 at least, or leave it out")
        }
    }

    func run() throws {
        try Follower(
            items: items, filter: filter.parameters,
            start: since.map { [("start_time", "now-\($0)")] } ?? [], countMax: limit, isJSON: json
        ).run(over: connection)
    }
}
