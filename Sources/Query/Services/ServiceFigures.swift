// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Calls, errors and durations of every service over a range of time: of its SERVER and CONSUMER
/// spans and those without a parent.
///
/// Cost: a range of few spans is read whole, and its quantiles are exact. Else a row per service
/// and hour or minute is, and the spans of what has not been computed yet (`SpanFigures`); the
/// quantiles are then out of buckets.
package struct ServiceFigures: Sendable {
    package static let serviceCountMax = 1_000
    /// Spans up to which all are read, and quantiles are exact.
    static let exactSpanCountMax = 10_000
    /// Parts of the range between computed ones, beyond which an estimate takes them as one.
    private static let estimatedGapCountMax = 8

    private let asked: AskedTimeRange

    package init(_ asked: AskedTimeRange) { self.asked = asked }

    /// A service as it is answered.
    private struct Row {
        let service: String
        let namespace: String
        var calls: Int64 = 0
        var errors: Int64 = 0
        var quantilesNs: [Int64?] = []
        var isEstimate = false
    }

    private struct Found {
        /// Those with most calls first; one more than are answered where there are more.
        var rows: [Row]
        var isIncomplete = false
    }

    private static let quantiles: [(name: String, share: Double)] = [
        ("p50_nanos", 0.5), ("p95_nanos", 0.95), ("p99_nanos", 0.99),
    ]

    /// Writes them, services with most calls first.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let range = try asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try range.check(widthNsMax: session.rangeNsMax)
        // The same database for all statements: a minute moves from spans to figures meanwhile.
        let found = try session.withSnapshot { (session) throws(QueryFailure) in
            try ServiceFigures.find(in: range, from: &session)
        }
        writer.object { writer in
            writer.member("start_time_unix_nano", digits: range.startUnixNs)
            writer.member("end_time_unix_nano", digits: range.endUnixNs)
            writer.key("services")
            writer.list { writer in
                for row in found.rows.prefix(ServiceFigures.serviceCountMax) {
                    ServiceFigures.write(row, in: range, to: &writer)
                }
            }
            writer.key("warnings")
            writer.list { ServiceFigures.writeWarnings(found, to: &$0) }
        }
    }

    // MARK: Finding

    private static func find(
        in range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> Found {
        guard
            try !SpanFigures.isWithin(exactSpanCountMax, spansOf: [range], from: &session)
        else { return Found(rows: try exactRows(in: range, from: &session)) }
        var sources = try FigureSources.known(in: range, from: &session)
        let isEstimated = try !SpanFigures.isWithin(
            SpanFigures.spanCountMax, spansOf: sources.gaps, from: &session)
        if isEstimated, sources.gaps.count > estimatedGapCountMax {
            sources = sources.withOneGap()
        }
        var totals = ServiceFigureTotals<ServiceName>()
        try addComputed(sources, to: &totals, from: &session)
        if !sources.gaps.isEmpty {
            let rows = try SpanFigures.read(
                sources.gaps, isEstimated: isEstimated, from: &session)
            totals.add(
                rows, figuresFrom: 2, tellsEstimates: true, owner: ServiceName.init(of:row:))
        }
        let rows = totals.ordered(by: ServiceName.isBefore)
            .prefix(serviceCountMax + 1).map { (name, total) in
                Row(
                    service: name.service, namespace: name.namespace, calls: total.callCount,
                    errors: total.errorCount,
                    quantilesNs: quantiles.map { total.latency.quantileNs($0.share) },
                    isEstimate: total.isEstimate)
            }
        return Found(rows: rows, isIncomplete: sources.omittedCount > 0)
    }

    private static func addComputed(
        _ sources: FigureSources, to totals: inout ServiceFigureTotals<ServiceName>,
        from session: inout ReadSession
    ) throws(QueryFailure) {
        for (periods, table, column) in [
            (sources.hours, "otel_service_hour_figures", "hour"),
            (sources.minutes, "otel_service_figures", "minute"),
        ] {
            for slice in ComputedPeriod.slices(of: periods) {
                var statement = SQLStatement()
                let starts = statement.bind(slice.map(\.startUnixNs))
                statement.text = """
                    SELECT service_name, service_namespace, sum(call_count)::int8,
                        sum(error_count)::int8, sum(latency_sum_nanos),
                        string_agg(latency_buckets, ''::bytea)
                    FROM \(table) WHERE \(column) = ANY (
                        ARRAY(SELECT otel_time(start) FROM unnest(\(starts)) AS start))
                    GROUP BY service_name, service_namespace
                    ORDER BY sum(call_count) DESC LIMIT \(SpanFigures.serviceCountMax)
                    """
                totals.add(
                    try session.query(statement), figuresFrom: 2, owner: ServiceName.init(of:row:))
            }
        }
    }

    /// As exact as the spans are.
    private static func exactRows(
        in range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> [Row] {
        let rows = try SpanFigures.readExactly(
            range, shares: quantiles.map(\.share), rowCountMax: serviceCountMax + 1,
            from: &session)
        return (0..<rows.rowCount).map { row in
            Row(
                service: rows.string(row: row, column: 0),
                namespace: rows.string(row: row, column: 1),
                calls: rows.integer(row: row, column: 2) ?? 0,
                errors: rows.integer(row: row, column: 3) ?? 0,
                quantilesNs: quantiles.indices.map { rows.integer(row: row, column: 4 + $0) })
        }
    }

    // MARK: JSON

    private static func write(_ row: Row, in range: TimeRange, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("service", row.service.isEmpty ? nil : row.service)
            writer.member("namespace", row.namespace.isEmpty ? nil : row.namespace)
            writer.member("calls", row.calls)
            writer.member("errors", row.errors)
            writer.key("error_rate")
            writer.decimal(row.calls == 0 ? 0 : Double(row.errors) / Double(row.calls))
            writer.key("calls_per_second")
            writer.decimal(Double(row.calls) / (Double(range.widthNs) / 1e9))
            for (quantile, ns) in zip(quantiles, row.quantilesNs) {
                writer.member(quantile.name, digits: ns)
            }
            writer.key("is_estimate")
            writer.truth(row.isEstimate)
        }
    }

    private static func writeWarnings(_ found: Found, to writer: inout JSONWriter) {
        if found.rows.contains(where: \.isEstimate) {
            writer.text(
                "services with is_estimate have too many spans that are in no figures yet: those "
                    + "of the newest ones stand for the others")
        }
        if found.isIncomplete {
            writer.text(
                "some minutes had too many services; those with the fewest calls are missing")
        }
        if found.rows.count > serviceCountMax {
            writer.text("there are more services; these \(serviceCountMax) have the most calls")
        }
    }
}

/// A service, by the names that figures have: empty where it has none.
struct ServiceName: Hashable, Sendable {
    let service: String
    let namespace: String

    /// Out of the first two columns.
    init(of rows: borrowing QueryResult, row: Int) {
        service = rows.string(row: row, column: 0)
        namespace = rows.string(row: row, column: 1)
    }

    static func isBefore(_ one: ServiceName, _ other: ServiceName) -> Bool {
        (one.service, one.namespace) < (other.service, other.namespace)
    }
}
