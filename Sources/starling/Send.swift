// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector
internal import Socket
internal import TLS

/// `starling send`: a client that makes up telemetry, sends it, and counts what was acknowledged.
struct Send: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send made-up telemetry and count what is acknowledged.",
        discussion: """
            A real OTLP/gRPC client, for smoke tests and load. The telemetry depends on --seed \
            alone, but for its times: two runs with one seed send the same ids. What may be sent \
            again (UNAVAILABLE, a lost connection) is, with backoff, until --give-up-after.

            Exits with 0 when every item was acknowledged, else with 1.

            Examples:
              starling send traces
              starling send logs --count 1000000 --connections 4 --compression gzip
              starling send traces --token-file shop.token
              starling send metrics --rate 10000 --count 600000 --endpoint collector.example:4317
              starling send traces --resources 10000 --resources-per-request 64
              starling send traces --endpoint https://collector.example:4317 --ca-file ca.pem
            """)

    enum Compression: String, ExpressibleByArgument, CaseIterable {
        case none, gzip
    }

    @Argument(help: "What to send.")
    var signal: SignalName

    @Option(help: "HOST:PORT, https://HOST:PORT or unix:PATH of the receiver.")
    var endpoint = "127.0.0.1:4317"

    @Option(help: "Spans, log records or data points in all.")
    var count = 10_000

    @Option(help: "Items per request.")
    var batch = 512

    @Option(help: "Connections, each with a thread.")
    var connections = 1

    @Option(help: "Requests that wait for their answer at once, per connection.")
    var inFlight = 2

    @Option(
        help: """
            Items per second in all; 0 sends as fast as answers come. Time to acknowledgement \
            counts from when a request was due.
            """)
    var rate = 0

    @Option(help: "Compression of requests.")
    var compression = Compression.none

    @Option(help: "What the telemetry depends on.")
    var seed: UInt64 = 1

    @OptionGroup(title: "What the telemetry is about") var shape: ShapeOptions

    @Option(help: "Milliseconds for one attempt.")
    var timeoutMs = 10_000

    @Option(help: "Seconds after which a request that is not acknowledged is given up.")
    var giveUpAfter = 60

    @OptionGroup var tokenOptions: TokenOptions

    @Flag(help: "Print the result as one JSON object.")
    var json = false

    @OptionGroup(title: "TLS") var security: TLSOptions

    func validate() throws {
        for (name, value, range) in [
            ("--count", count, 1...1_000_000_000), ("--batch", batch, 1...100_000),
            ("--connections", connections, 1...1_024), ("--in-flight", inFlight, 1...100),
            ("--rate", rate, 0...100_000_000), ("--timeout-ms", timeoutMs, 1...600_000),
            ("--give-up-after", giveUpAfter, 1...86_400),
        ] + shape.numbers where !range.contains(value) {
            throw ValidationError(
                "\(name) is \(value); choose \(range.lowerBound) to \(range.upperBound)")
        }
        try shape.validate(for: signal.signal)
    }

    func run() throws {
        let target = try SchemedAddress.endpoint(endpoint)
        var options = options(to: target)
        options.delivery.token = try tokenOptions.token()
        options.delivery.context = try security.context(
            for: target, isSecure: SchemedAddress(endpoint).isSecure, protocols: [.http2])
        let sender = Sender(options: options)
        let report = ProgressLine.showing(
            { "\(sender.acknowledgedItemCount) of \(count) acknowledged" },
            while: { sender.run() })
        if let lastError = report.lastError {
            StandardError.write("starling: the last error was: \(lastError)\n")
        }
        print(json ? SendSummary.json(report) : SendSummary.text(report, options))
        if report.acknowledgedItemCount != report.sentItemCount || report.sentItemCount == 0 {
            throw ExitCode(1)
        }
    }

    private func options(to endpoint: Endpoint) -> SendOptions {
        var options = SendOptions(signal: signal.signal, endpoint: endpoint)
        options.itemCount = count
        options.batchItemCount = min(batch, count)
        options.connectionCount = connections
        options.delivery.inFlightCount = inFlight
        options.delivery.isCompressed = compression == .gzip
        options.itemsPerSecond = rate
        options.seed = seed
        options.shape = shape.shape(batchItemCount: options.batchItemCount)
        options.delivery.timeoutMs = timeoutMs
        options.delivery.giveUpAfterMs = giveUpAfter * 1_000
        return options
    }
}

/// What `send` prints at the end.
private enum SendSummary {
    static func text(_ report: SendReport, _ options: SendOptions) -> String {
        let lines = [
            "\(report.acknowledgedItemCount) \(options.signal.itemName) acknowledged "
                + "of \(report.sentItemCount) sent, in \(milliseconds(report.elapsedNs)) ms: "
                + "\(itemsPerSecond(report))/s",
            "requests \(report.requestCount), sent again \(report.retryCount), "
                + "rejected items \(report.rejectedItemCount), "
                + "failed items \(report.failedItemCount)",
            "acknowledged after p50 \(milliseconds(report.latencyNs(share: 0.5))) ms, "
                + "p99 \(milliseconds(report.latencyNs(share: 0.99))) ms, "
                + "p99.9 \(milliseconds(report.latencyNs(share: 0.999))) ms",
        ]
        return lines.joined(separator: "\n")
    }

    static func json(_ report: SendReport) -> String {
        let fields: [(String, Int)] = [
            ("sent", report.sentItemCount), ("acknowledged", report.acknowledgedItemCount),
            ("rejected", report.rejectedItemCount), ("failed", report.failedItemCount),
            ("requests", report.requestCount), ("retries", report.retryCount),
            ("sent_bytes", report.sentSizeBytes), ("elapsed_ns", Int(report.elapsedNs)),
            ("items_per_second", itemsPerSecond(report)),
            ("ack_p50_ns", Int(report.latencyNs(share: 0.5))),
            ("ack_p99_ns", Int(report.latencyNs(share: 0.99))),
            ("ack_p999_ns", Int(report.latencyNs(share: 0.999))),
            ("ack_max_ns", Int(report.latencyNs(share: 1))),
        ]
        return "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    private static func itemsPerSecond(_ report: SendReport) -> Int {
        let elapsedMs = max(1, Int(report.elapsedNs / 1_000_000))
        return report.acknowledgedItemCount * 1_000 / elapsedMs
    }

    /// With two decimals, without Foundation.
    private static func milliseconds(_ ns: UInt64) -> String {
        let hundredths = ns / 10_000
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
