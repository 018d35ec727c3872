// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import CLinux
internal import Collector
internal import Synchronization

/// `starling export`: all that a search finds, out of the API of a running daemon.
struct ExportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Export what is stored: everything that a filter finds, oldest first.",
        discussion: """
            Asks the daemon on the listen.api of the configuration, or on --api; see \
            docs/query-api.md, Exports. traces and spans are the same: the spans that pass; \
            metrics are their points.

            With --output the file is called FILE.part until it is whole. What breaks off is said, \
            and exits with 1; it is never taken for the whole. A FILE.gz is packed with gzip; \
            lines and bytes are counted as they are unpacked.

            Examples:
              starling export logs --since 1h --filter 'severity_number>=ERROR'
              starling export spans --since 24h --service shop --format csv --output shop.csv
              starling export traces --from 2026-03-01T00:00:00Z --until 2026-03-02T00:00:00Z \
            --format otlp-json --output day.jsonl.gz
              starling export metrics --since 1h --filter 'name=http.server.request.duration'
              starling export traces --since 1h --format otlp-json | starling import - --endpoint \
            other.example:4317
            """)

    enum Items: String, ExpressibleByArgument, CaseIterable {
        case traces, spans, logs, metrics

        /// As the API calls them.
        fileprivate var name: String { self == .traces ? Items.spans.rawValue : rawValue }
    }

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case ndjson, csv
        case otlpJSON = "otlp-json"
    }

    @Argument(help: "What to export.")
    var items: Items

    @OptionGroup var range: RangeOptions
    @OptionGroup var filter: FilterOptions

    @Option(help: "How many at most, the oldest. Default: all.")
    var limit: Int?

    @Option(help: "One object per line, RFC 4180, or OTLP/JSON for starling import.")
    var format = Format.ndjson

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Where to. Default: standard output.", valueName: "file"),
        completion: .file())
    var output: String?

    @Flag(help: "With --output: print what was written as one JSON object.")
    var json = false

    @OptionGroup(title: "Daemon") var connection: APIOptions

    /// How long there may be silence: the first of a partition is sorted first.
    private static let patienceMs = 600_000

    func validate() throws {
        if let limit, limit < 1 {
            throw ValidationError("--limit is \(limit); choose 1 at least, or leave it out")
        }
        if json, output == nil {
            throw ValidationError("--json is about a file; give --output as well")
        }
    }

    func run() throws {
        let client = QueryClient(try connection.client(patienceMs: ExportVerb.patienceMs))
        let parameters =
            range.parameters + filter.parameters + [("format", format.rawValue)]
            + (limit.map { [("limit", "\($0)")] } ?? [])
        let file = try OutputFile(output)
        let written = WrittenCount()
        let path = "/api/\(items.name)/export"
        let export = {
            Result { () throws(DaemonError) in
                try client.stream(path, parameters) { (bytes) throws(DaemonError) in
                    try file.write(bytes)
                    written.add(bytes)
                }
                try file.finish()
            }
        }
        let result = ProgressLine.showing(
            { "\(written.text) exported" }, isOn: isProgressShown, while: export)
        if case .failure = result, let output {
            StandardError.write(
                "starling: \(output)\(OutputFile.suffix) has \(written.text), and is not whole\n")
        }
        try result.get()
        if let output { report(written, output) }
    }

    /// Not between the lines of what a terminal shows.
    private var isProgressShown: Bool { output != nil || isatty(STDOUT_FILENO) == 0 }

    private func report(_ written: WrittenCount, _ output: String) {
        if json {
            let text: JSONText = .object([
                ("file", .text(output)), ("bytes", .number(Int64(written.sizeBytes))),
                ("lines", .number(Int64(written.lineCount))),
            ])
            print("\(text)")
        } else {
            StandardError.write("\(output) has \(written.text)\n")
        }
    }
}

/// What was written so far. Thread: any.
private final class WrittenCount: Sendable {
    private let bytes = Atomic<Int>(0)
    private let lines = Atomic<Int>(0)

    func add(_ written: ByteSlice) {
        bytes.add(written.count, ordering: .relaxed)
        let count = unsafe written.buffer.reduce(0) { $0 + ($1 == 0x0a ? 1 : 0) }
        lines.add(count, ordering: .relaxed)
    }

    var sizeBytes: Int { bytes.load(ordering: .relaxed) }
    var lineCount: Int { lines.load(ordering: .relaxed) }

    var text: String {
        WrittenCount.text(lineCount, "line") + ", " + WrittenCount.text(sizeBytes, "byte")
    }

    private static func text(_ count: Int, _ unit: String) -> String {
        "\(count) \(unit)\(count == 1 ? "" : "s")"
    }
}
