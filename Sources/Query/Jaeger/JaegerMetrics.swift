// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Call rates, error rates and latencies of services over time, as Jaeger's Monitor tab asks for
/// them: a point per step, each of the calls of a while before it.
///
/// Cost: of whole services and calls to them (SERVER, CONSUMER), a row per minute of
/// `otel_service_figures`; of what has no figures, other kinds and operations, the spans of the
/// services, `JaegerMetricSpans.spanCountMax` at most.
package struct JaegerMetrics: Sendable {
    package enum Measure: Sendable, Equatable {
        case calls
        case errors
        /// The share of calls that the latency is not above: above 0, up to 1.
        case latencies(quantile: Double)
    }

    package static let minuteNs: Int64 = 60_000_000_000
    /// Services of one question.
    package static let serviceCountMax = 20
    /// Points of one series; a shorter step is made longer.
    static let pointCountMax = 2_000
    /// Series of one answer, those with most calls.
    static let seriesCountMax = 1_000

    package let measure: Measure
    /// By `service.name`; `JaegerTraces.noServiceName` for those without one.
    package let services: [String]
    /// SpanKind, 0 for one that is not said.
    package let kindIDs: [Int64]
    package let endUnixNs: Int64
    package let lookbackNs: Int64
    package let stepNs: Int64
    /// How long before a point the calls are that it is of.
    package let windowNs: Int64
    package let isByOperation: Bool

    package init(
        _ measure: Measure, services: [String], kindIDs: [Int64], endUnixNs: Int64,
        lookbackNs: Int64, stepNs: Int64, windowNs: Int64, isByOperation: Bool
    ) {
        self.measure = measure
        self.services = services
        self.kindIDs = kindIDs
        self.endUnixNs = endUnixNs
        self.lookbackNs = lookbackNs
        self.stepNs = stepNs
        self.windowNs = windowNs
        self.isByOperation = isByOperation
    }

    /// Writes them as a MetricFamily, without an envelope.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let times = JaegerMetricTimes(self, rangeNsMax: session.rangeNsMax)
        var series = JaegerMetricSeries(times)
        try session.withSnapshot { (session) throws(QueryFailure) in
            try read(times, into: &series, from: &session)
        }
        writer.object { writer in
            writer.member("name", name)
            writer.member("type", "GAUGE")
            writer.member("help", help(series))
            writer.key("metrics")
            writer.list { writer in
                for (key, minutes) in series.ordered.prefix(JaegerMetrics.seriesCountMax) {
                    write(key, minutes, series, to: &writer)
                }
            }
        }
    }

    // MARK: Reading

    /// Names as figures have them.
    private var storedServices: [String] {
        services.map { $0 == JaegerTraces.noServiceName ? "" : $0 }
    }

    private func read(
        _ times: JaegerMetricTimes, into series: inout JaegerMetricSeries,
        from session: inout ReadSession
    ) throws(QueryFailure) {
        var gaps = [times.range]
        let isCounted = kindIDs.allSatisfy { ServiceFigureSQL.callKinds.contains(Int($0)) }
        if isCounted && !isByOperation {
            let sources = try FigureSources.known(
                in: times.range, from: &session, usesHours: false)
            gaps = sources.gaps
            try readFigures(times.range, into: &series, from: &session)
        }
        guard !gaps.isEmpty else { return }
        try JaegerMetricSpans(
            services: storedServices, kindIDs: kindIDs, isByOperation: isByOperation
        ).read(gaps, into: &series, from: &session)
    }

    private func readFigures(
        _ range: TimeRange, into series: inout JaegerMetricSeries, from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        let (start, end) = (statement.bind(range.startUnixNs), statement.bind(range.endUnixNs))
        let (names, kinds) = (statement.bind(storedServices), statement.bind(kindIDs))
        statement.text = """
            SELECT service_name, '', otel_unix_nano(minute), sum(call_count)::int8,
                sum(error_count)::int8, string_agg(latency_buckets, ''::bytea)
            FROM otel_service_figures JOIN otel_service_figure_minutes USING (minute)
            WHERE minute >= otel_time(\(start)) AND minute < otel_time(\(end))
                AND service_name = ANY (\(names)) AND kind_id = ANY (\(kinds))
            GROUP BY service_name, minute
            """
        series.add(try session.query(statement))
    }

    // MARK: JSON

    private var name: String {
        let subject = isByOperation ? "service_operation" : "service"
        return switch measure {
        case .calls: "\(subject)_call_rate"
        case .errors: "\(subject)_error_rate"
        case .latencies: "\(subject)_latencies"
        }
    }

    private func help(_ series: JaegerMetricSeries) -> String {
        var text =
            switch measure {
            case .calls: "calls/sec"
            case .errors: "error rate, computed as a fraction of errors/sec over calls/sec"
            case .latencies(let quantile):
                "\(DecimalText.text(quantile, digits: 2))th quantile latency"
            }
        text += ", grouped by service" + (isByOperation ? " & operation" : "")
        if series.completeFromUnixNs != nil {
            text +=
                "; points before the newest \(JaegerMetricSpans.spanCountMax) spans are left out"
        }
        return text
    }

    private func write(
        _ key: JaegerMetricSeries.Key, _ minutes: [JaegerMetricSeries.Minute],
        _ series: JaegerMetricSeries, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.key("labels")
            writer.list { writer in
                if isByOperation { writeLabel("operation", key.operation, to: &writer) }
                let service = key.service.isEmpty ? JaegerTraces.noServiceName : key.service
                writeLabel("service_name", service, to: &writer)
            }
            writer.key("metricPoints")
            writer.list { writer in
                series.forEachPoint(of: minutes) { unixNs, window in
                    writer.object { writer in
                        writer.key("gaugeValue")
                        writer.object { writer in
                            writer.key("doubleValue")
                            writer.double(value(window, seconds: series.windowSeconds))
                        }
                        writer.member("timestamp", CivilTime.text(unixNs: UInt64(unixNs)))
                    }
                }
            }
        }
    }

    private func writeLabel(_ name: String, _ value: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", name)
            writer.member("value", value)
        }
    }

    /// Calls per second, errors per call, or milliseconds; NaN where there were no calls to tell.
    private func value(_ window: JaegerMetricSeries.Window, seconds: Double) -> Double {
        switch measure {
        case .calls: Double(window.callCount) / seconds
        case .errors: Double(window.errorCount) / Double(window.callCount)
        case .latencies(let quantile):
            window.latency.quantileNs(quantile).map { Double($0) / 1e6 } ?? .nan
        }
    }
}
