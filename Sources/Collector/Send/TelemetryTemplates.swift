// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Made-up telemetry of a small shop: services, operations and attributes with the names of the
/// semantic conventions, chosen by a seed.
struct TelemetryTemplates {
    private var random: SplitMix
    private let shape: TelemetryShape

    private static let services = [
        "checkout", "cart", "catalog", "payment", "shipping", "frontend",
    ]
    private static let routes = [
        "/api/cart/{id}", "/api/products", "/api/products/{id}", "/api/checkout",
        "/api/orders/{id}",
        "/api/recommendations", "/api/shipping/quote", "/healthz",
    ]
    private static let methods = ["GET", "POST", "PUT", "DELETE"]
    private static let levels: [(number: UInt64, text: String)] = [
        (5, "DEBUG"), (9, "INFO"), (9, "INFO"), (13, "WARN"), (17, "ERROR"),
    ]

    init(seed: UInt64, shape: TelemetryShape = TelemetryShape()) {
        random = SplitMix(seed: seed)
        self.shape = shape
    }

    /// A request of `itemCount` items: of one resource and one scope, as an SDK sends them, unless
    /// the shape wants more resources, as a gateway sends them.
    mutating func request(_ signal: Signal, itemCount: Int) -> RequestTemplate {
        var writer = WireWriter()
        let itemsEach = min(itemCount, shape.resources?.itemsEach ?? itemCount)
        for first in stride(from: 0, to: itemCount, by: itemsEach) {
            let items = first..<min(first + itemsEach, itemCount)
            writer.message(1) { envelope in
                envelope.message(1) { resource(&$0, item: first) }
                envelope.message(2) { scope in
                    scope.message(1) {
                        $0.string(1, "starling.send")
                        $0.string(2, "1.0")
                    }
                    for item in items { append(signal, item, to: &scope) }
                }
            }
        }
        return RequestTemplate(
            signal: signal, itemCount: itemCount, shape: shape, writer: writer)
    }

    private mutating func append(_ signal: Signal, _ item: Int, to scope: inout WireWriter) {
        switch signal {
        case .traces: scope.message(2) { span(&$0, item: item) }
        case .logs: scope.message(2) { logRecord(&$0, item: item) }
        case .metrics: metric(&scope, item: item)
        }
    }

    private mutating func resource(_ resource: inout WireWriter, item: Int) {
        let service = pick(TelemetryTemplates.services)
        let host = "\(service)-\(Int.random(in: 0..<4, using: &random))"
        // Numbered resources are hosts of one service, so that no operations come with them.
        let isNumbered = shape.resources != nil
        resource.attribute(
            1, "service.name", isNumbered ? TelemetryTemplates.services[0] : service)
        resource.attribute(1, "service.namespace", "shop")
        resource.attribute(1, "service.version", "2.4.1")
        if isNumbered {
            resource.message(1) { pair in
                pair.string(1, "host.name")
                pair.message(2) { $0.numbered(1, "host-", .resourceNumber, item: item) }
            }
        } else {
            resource.attribute(1, "host.name", host)
        }
        resource.attribute(1, "telemetry.sdk.language", "swift")
    }

    private mutating func span(_ writer: inout WireWriter, item: Int) {
        let route = pick(TelemetryTemplates.routes)
        let method = pick(TelemetryTemplates.methods)
        let status = Int.random(in: 0..<20, using: &random) == 0 ? 500 : 200
        writer.placeholder(1, count: 16, .traceID, item: item)
        writer.placeholder(2, count: 8, .spanID, item: item)
        if item % RequestTemplate.spansPerTrace != 0 {
            writer.placeholder(4, count: 8, .parentSpanID, item: item)
        }
        let kind = UInt64(Int.random(in: 1...5, using: &random))
        if shape.operationCount == nil {
            writer.string(5, "\(method) \(route)")
            writer.varint(6, kind)
        } else {
            writer.numbered(5, "operation-", .operationNumber, item: item)
            writer.smallPlaceholder(6, .spanKind, item: item)
        }
        writer.timePlaceholder(7, .time, item: item)
        writer.timePlaceholder(8, .endTime, item: item)
        writer.attribute(9, "http.request.method", method)
        writer.attribute(9, "http.route", route)
        writer.attribute(9, "url.path", "\(route)?page=\(Int.random(in: 1..<50, using: &random))")
        writer.attribute(9, "url.scheme", "https")
        writer.attribute(9, "server.address", "shop.example.com")
        writer.attribute(9, "server.port", 443)
        writer.attribute(9, "http.response.status_code", status)
        writer.attribute(9, "network.protocol.version", "1.1")
        writer.attribute(9, "user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101")
        writer.attribute(9, "client.address", "10.1.\(Int.random(in: 0..<8, using: &random)).7")
        if status == 500 {
            writer.message(15) {
                $0.string(2, "upstream failed")
                $0.varint(3, 2)
            }
        }
        // Flags: sampled.
        writer.fixed32(16, 1)
    }

    private mutating func logRecord(_ writer: inout WireWriter, item: Int) {
        let level = pick(TelemetryTemplates.levels)
        let route = pick(TelemetryTemplates.routes)
        writer.timePlaceholder(1, .time, item: item)
        writer.varint(2, level.number)
        writer.string(3, level.text)
        let durationMs = Int.random(in: 1..<900, using: &random)
        writer.message(5) { $0.string(1, "handled \(route) in \(durationMs) ms") }
        writer.attribute(6, "http.route", route)
        writer.attribute(6, "duration_ms", durationMs)
        writer.attribute(6, "thread.name", "worker-\(Int.random(in: 0..<8, using: &random))")
        writer.placeholder(9, count: 16, .traceID, item: item)
        writer.placeholder(10, count: 8, .spanID, item: item)
        writer.timePlaceholder(11, .time, item: item)
    }

    /// Four metrics in turn: a gauge, a monotonic sum, a histogram and an integer sum; or those of
    /// them that the shape wants.
    private mutating func metric(_ scope: inout WireWriter, item: Int) {
        let route = pick(TelemetryTemplates.routes)
        let value = Double(Int.random(in: 0..<100_000, using: &random)) / 8
        scope.message(2) { metric in
            switch metricInTurn(item) {
            case .gauge:
                metric.string(1, "process.cpu.utilization")
                metric.string(3, "1")
                metric.message(5) { gauge in
                    gauge.message(1) { numberPoint(&$0, item, route) { $0.double(4, value) } }
                }
            case .monotonicSum:
                metric.string(1, "http.server.requests")
                metric.string(3, "{request}")
                metric.message(7) { sum in
                    sum.message(1) {
                        numberPoint(&$0, item, route) { $0.fixed64(6, UInt64(value)) }
                    }
                    sum.varint(2, 2)
                    sum.varint(3, 1)
                }
            case .histogram:
                metric.string(1, "http.server.request.duration")
                metric.string(3, "s")
                metric.message(9) { histogram in
                    histogram.message(1) { histogramPoint(&$0, item, route, sum: value) }
                    histogram.varint(2, 1)
                }
            case .sum:
                metric.string(1, "http.server.active_requests")
                metric.message(7) { sum in
                    sum.message(1) {
                        numberPoint(&$0, item, route) { $0.fixed64(6, UInt64(value)) }
                    }
                    sum.varint(2, 2)
                }
            }
        }
    }

    private enum Metric { case gauge, monotonicSum, histogram, sum }

    private func metricInTurn(_ item: Int) -> Metric {
        let metrics: [Metric] =
            switch shape.points {
            case .all: [.gauge, .monotonicSum, .histogram, .sum]
            case .number: [.gauge, .monotonicSum, .sum]
            case .histogram: [.histogram]
            }
        return metrics[item % metrics.count]
    }

    private func numberPoint(
        _ point: inout WireWriter, _ item: Int, _ route: String, _ value: (inout WireWriter) -> Void
    ) {
        point.timePlaceholder(2, .time, item: item)
        point.timePlaceholder(3, .endTime, item: item)
        value(&point)
        point.attribute(7, "http.route", route)
    }

    private func histogramPoint(
        _ point: inout WireWriter, _ item: Int, _ route: String, sum: Double
    ) {
        let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
        point.timePlaceholder(2, .time, item: item)
        point.timePlaceholder(3, .endTime, item: item)
        point.fixed64(4, UInt64(bounds.count + 1))
        point.double(5, sum)
        for _ in 0...bounds.count { point.fixed64(6, 1) }
        for bound in bounds { point.double(7, bound) }
        point.attribute(9, "http.route", route)
    }

    private mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }
}
