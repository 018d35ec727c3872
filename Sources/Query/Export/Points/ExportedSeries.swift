// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// What many metric points have in common beside resource and scope: metrics and series, each read
/// once.
struct ExportedSeries {
    struct Metric {
        let name: String
        let kind: MetricKind
        let typeName: String
        /// Nil where the metric has none; likewise below.
        let unit: String?
        let temporality: Int64?
        /// Nil for numbers that OTLP does not define, too.
        let temporalityName: String?
        let isMonotonic: Bool?
        let description: String?
        let metadata: [Attribute]
    }

    struct Series {
        let attributes: [Attribute]
        /// The attributes as JSON, in the form that the API shows them in.
        let attributesText: String
    }

    private(set) var metrics: [Int64: Metric] = [:]
    private(set) var all: [Int64: Series] = [:]

    /// Reads those of the points in `rows` that are not known yet. Others may be forgotten.
    mutating func load(
        of rows: borrowing QueryResult, seriesColumn: Int, metricColumn: Int,
        from session: inout ReadSession
    ) throws(QueryFailure) {
        let wantedMetrics = metrics.makeRoom(forIDsOf: rows, column: metricColumn)
        let wanted = all.makeRoom(forIDsOf: rows, column: seriesColumn)
        if !wantedMetrics.isEmpty { try readMetrics(wantedMetrics, from: &session) }
        if !wanted.isEmpty { try readSeries(wanted, from: &session) }
    }

    private mutating func readMetrics(
        _ ids: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        statement.text = """
            SELECT metric_id, metric.name, metric_type_id, type.name, unit,
                aggregation_temporality_id, temporality.name, is_monotonic, description,
                metadata::text
            FROM otel_metrics_dim AS metric
            JOIN metric_types AS type USING (metric_type_id)
            LEFT JOIN aggregation_temporalities AS temporality
                ON temporality_id = aggregation_temporality_id
            WHERE metric_id = ANY (\(statement.bind(ids))::integer[])
            """
        let rows = try session.query(statement)
        for row in 0..<rows.rowCount {
            func text(_ column: Int) -> String? { rows.field(row, column)?.string }
            guard let kind = MetricKind(rawValue: rows.integer(row: row, column: 2) ?? 0) else {
                continue
            }
            metrics[rows.integer(row: row, column: 0) ?? 0] = Metric(
                name: rows.string(row: row, column: 1), kind: kind,
                typeName: rows.string(row: row, column: 3), unit: text(4),
                temporality: rows.integer(row: row, column: 5), temporalityName: text(6),
                isMonotonic: rows.bool(row: row, column: 7), description: text(8),
                metadata: Attribute.all(of: StoredJSON(rows.bytes(row: row, column: 9))))
        }
    }

    private mutating func readSeries(
        _ ids: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        statement.text = """
            SELECT one.id, (\(MergedAttributes.ofSeries(id: "one.id")))::text
            FROM unnest(\(statement.bind(ids))) AS one (id)
            """
        let rows = try session.query(statement)
        for row in 0..<rows.rowCount {
            all[rows.integer(row: row, column: 0) ?? 0] = Series(
                attributes: Attribute.all(of: StoredJSON(rows.bytes(row: row, column: 1))),
                attributesText: rows.string(row: row, column: 1))
        }
    }
}

extension ExportedSeries.Metric {
    /// Writes it in OTLP's JSON, with the data points that `points` writes.
    func otlp(to writer: inout JSONWriter, points: (inout JSONWriter) -> Void) {
        writer.object { writer in
            writer.member("name", name)
            writer.textUnlessEmpty("description", description ?? "")
            writer.textUnlessEmpty("unit", unit ?? "")
            if !metadata.isEmpty {
                writer.key("metadata")
                writer.otlp(metadata)
            }
            writer.key(kind.otlpMember)
            writer.object { writer in
                writer.key("dataPoints")
                writer.list { points(&$0) }
                writer.count("aggregationTemporality", temporality ?? 0)
                if isMonotonic == true {
                    writer.key("isMonotonic")
                    writer.truth(true)
                }
            }
        }
    }
}

extension MetricKind {
    /// The member of a metric that holds its data.
    fileprivate var otlpMember: String {
        switch self {
        case .gauge: "gauge"
        case .sum: "sum"
        case .histogram: "histogram"
        case .exponentialHistogram: "exponentialHistogram"
        case .summary: "summary"
        }
    }
}
