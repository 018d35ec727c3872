// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector
internal import Socket
internal import TLS

/// `starling import`: sends what files hold to a daemon.
struct ImportVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Import files of OTLP/JSON or OTLP protobuf, over OTLP/gRPC.",
        discussion: """
            Files may hold OTLP/JSON, one request per line as starling export and OpenTelemetry \
            Collectors write it, or one in all; one protobuf message; or protobuf messages each \
            behind its length in 4 bytes, big-endian. Protobuf does not say what it holds: give \
            --signal. Requests have at most 64 MiB. All of it may be packed with gzip. - is \
            standard input.

            It is sent as by any client: what may be sent again is, with the delay that the daemon \
            asks for, until --give-up-after. Imported twice it is stored twice, unless the second \
            time comes within durability.dedup_window (15 minutes) of the first.

            Exits with 0 when everything is stored; with 69 when nobody answers; else with 1. A \
            file that cannot be read to its end is said, with the place in it; what came before \
            is stored.

            Examples:
              starling import day.jsonl.gz
              starling import - --endpoint https://collector.example:4317 < day.jsonl
              starling import --signal traces spans.binpb
            """)

    @Argument(help: "The files, in their order.", completion: .file())
    var files: [String]

    @Option(help: "HOST:PORT, https://HOST:PORT or unix:PATH of the receiver.")
    var endpoint = "127.0.0.1:4317"

    @Option(help: "What protobuf files hold.")
    var signal: SignalName?

    @Option(help: "Requests that wait for their answer at once.")
    var inFlight = 4

    @Option(help: "Seconds after which a request that is not acknowledged is given up.")
    var giveUpAfter = 60

    @OptionGroup var tokenOptions: TokenOptions

    @Flag(help: "Print the result as one JSON object.")
    var json = false

    @OptionGroup(title: "TLS") var security: TLSOptions

    /// Large requests take longer than those of SDKs.
    private static let timeoutMs = 60_000

    func validate() throws {
        for (name, value, range) in [
            ("--in-flight", inFlight, 1...16), ("--give-up-after", giveUpAfter, 1...86_400),
        ] where !range.contains(value) {
            throw ValidationError(
                "\(name) is \(value); choose \(range.lowerBound) to \(range.upperBound)")
        }
    }

    func run() throws {
        let importer = Importer(files, signal: signal?.signal, try delivery())
        let report = ProgressLine.showing(
            { "\(importer.storedCount) items stored" }, while: { importer.run() })
        for note in report.notes { StandardError.write("starling: \(note)\n") }
        if report.hiddenNoteCount > 0 {
            StandardError.write("starling: and \(report.hiddenNoteCount) more like these\n")
        }
        if let fault = report.fault { StandardError.write("starling: \(fault)\n") }
        print(json ? ImportSummary.json(report) : ImportSummary.text(report))
        let sending = report.sending
        guard sending.wasConnected || sending.lastError == nil else {
            throw ExitCode(Failure.unavailable)
        }
        guard report.fault == nil, sending.acknowledgedItemCount == sending.sentItemCount else {
            throw ExitCode(Failure.other)
        }
    }

    private func delivery() throws -> Delivery {
        let target = try SchemedAddress.endpoint(endpoint)
        var delivery = Delivery(to: target)
        delivery.token = try tokenOptions.token()
        delivery.context = try security.context(
            for: target, isSecure: SchemedAddress(endpoint).isSecure, protocols: [.http2])
        delivery.inFlightCount = inFlight
        delivery.timeoutMs = ImportVerb.timeoutMs
        delivery.giveUpAfterMs = giveUpAfter * 1_000
        return delivery
    }
}

/// What `import` prints at the end.
private enum ImportSummary {
    static func text(_ report: Importer.Report) -> String {
        let sending = report.sending
        return "\(sending.acknowledgedItemCount) of \(sending.sentItemCount) items stored, "
            + "\(sending.rejectedItemCount) rejected, \(sending.failedItemCount) failed; "
            + "\(sending.requestCount) requests, \(sending.retryCount) sent again"
    }

    static func json(_ report: Importer.Report) -> String {
        let sending = report.sending
        let text: JSONText = .object([
            ("sent", .number(Int64(sending.sentItemCount))),
            ("stored", .number(Int64(sending.acknowledgedItemCount))),
            ("rejected", .number(Int64(sending.rejectedItemCount))),
            ("failed", .number(Int64(sending.failedItemCount))),
            ("requests", .number(Int64(sending.requestCount))),
            ("retries", .number(Int64(sending.retryCount))),
            ("is_complete", .truth(report.fault == nil)),
            ("elapsed_ns", .number(Int64(sending.elapsedNs))),
        ])
        return "\(text)"
    }
}
