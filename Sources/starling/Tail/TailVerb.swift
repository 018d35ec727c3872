// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import CLinux
internal import Collector
internal import Query

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

    /// How long there may be silence; the daemon breaks it every 15 seconds.
    private static let patienceMs = 45_000
    private static let pauseMs = 1_000

    func validate() throws {
        if let limit, limit < 1 {
            throw ValidationError("--limit is \(limit); choose 1 at least, or leave it out")
        }
    }

    func run() throws {
        // Nothing is left to be done, and it is how a tail ends.
        _ = signal(SIGINT) { _ in _exit(0) }
        let client = QueryClient(try connection.client(patienceMs: TailVerb.patienceMs))
        var reader = TailReader(
            TailPrinter(items, isJSON: json, Colours.ofThisProcess), countMax: limit)
        var isTold = false
        while true {
            reader.begin()
            do throws(DaemonError) {
                try client.stream("/api/\(items.rawValue)/tail", parameters(reader)) {
                    (bytes) throws(DaemonError) in try reader.take(bytes)
                }
                return
            } catch {
                guard reader.isWorthAnother(error) else { throw error }
                if reader.hasHeard { isTold = false }
                if !isTold { StandardError.write("starling: \(error); trying again\n") }
                isTold = true
            }
            WorkerThread.pause(ms: TailVerb.pauseMs)
        }
    }

    private func parameters(_ reader: TailReader) -> [(name: String, value: String)] {
        var parameters = filter.parameters + [("format", "ndjson")]
        if let left = reader.leftCount { parameters.append(("limit", "\(left)")) }
        if let cursor = reader.cursor {
            parameters.append(("cursor", cursor))
        } else if let since {
            parameters.append(("start_time", "now-\(since)"))
        }
        return parameters
    }
}
