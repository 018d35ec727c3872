// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// What a metric is, by its name; the one that was seen last where several have it.
struct MetricIdentity {
    let kind: MetricKind
    let typeName: String
    let unit: String?
    let temporality: String?
    let isMonotonic: Bool
    let warnings: [String]

    /// Errors: `notFound`, where there is none of that name and type.
    static func find(
        _ name: String, type: String?, in session: inout ReadSession
    ) throws(QueryFailure) -> MetricIdentity {
        var statement = SQLStatement()
        let bound = statement.bind(name)
        statement.text = """
            SELECT metric_type_id::int8, type.name, max(unit), string_agg(DISTINCT temporality.name,
                ', '), coalesce(bool_or(is_monotonic), false)
            FROM otel_metrics_dim AS metric
            JOIN metric_types AS type USING (metric_type_id)
            LEFT JOIN aggregation_temporalities AS temporality
                ON temporality_id = aggregation_temporality_id
            WHERE left(metric.name, 200) = left(\(bound), 200) AND metric.name = \(bound)
            GROUP BY 1, 2 ORDER BY max(last_seen) DESC, 1
            """
        let rows = try session.query(statement)
        let types = (0..<rows.rowCount).map { rows.string(row: $0, column: 1) }
        guard let row = type.map({ types.firstIndex(of: $0) }) ?? (types.isEmpty ? nil : 0),
            let kind = MetricKind(rawValue: rows.integer(row: row, column: 0) ?? 0)
        else {
            let ofType = type.map { " of type \($0)" } ?? ""
            throw QueryFailure(
                .notFound, "there is no metric \"\(name)\"\(ofType); /api/metrics lists them")
        }
        let others = types.filter { $0 != types[row] }
        func text(_ column: Int) -> String? {
            rows.isNull(row: row, column: column) ? nil : rows.string(row: row, column: column)
        }
        let isAmbiguous = type == nil && !others.isEmpty
        return MetricIdentity(
            kind: kind, typeName: types[row], unit: text(2), temporality: text(3),
            isMonotonic: rows.bool(row: row, column: 4) == true,
            warnings: isAmbiguous
                ? [
                    "metrics of this name are also of type \(others.joined(separator: ", ")); "
                        + "choose with type"
                ] : [])
    }

    func write(to writer: inout JSONWriter) {
        writer.member("type", typeName)
        writer.member("unit", unit)
        writer.member("temporality", temporality)
    }
}

extension MetricAggregation {
    /// As `init` reads it.
    var name: String {
        switch self {
        case .average: "avg"
        case .sum: "sum"
        case .minimum: "min"
        case .maximum: "max"
        case .count: "count"
        case .last: "last"
        case .increase: "increase"
        case .rate: "rate"
        case .quantile(let share): "p\(Int((share * 100).rounded()))"
        }
    }
}
