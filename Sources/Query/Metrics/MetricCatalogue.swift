// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Which metrics there are, page by page in the order of their names.
package struct MetricList: Sendable {
    private let prefix: String
    private let limit: PageLimit
    private let cursor: Cursor?

    /// Errors: those of `Cursor`.
    package init(prefix: String?, limit: PageLimit, cursor: String?) throws(QueryFailure) {
        self.prefix = prefix ?? ""
        self.limit = limit
        let fingerprint = MetricList.fingerprint(self.prefix)
        self.cursor = try cursor.map { (text) throws(QueryFailure) in
            try Cursor(text, of: fingerprint, keyCount: 1)
        }
    }

    private static func fingerprint(_ prefix: String) -> Cursor.Fingerprint {
        Cursor.Fingerprint(of: "metrics " + prefix)
    }

    private static let noRange = TimeRange(startUnixNs: 0, endUnixNs: 1)

    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let rows = try session.query(statement)
        let count = min(rows.rowCount, limit.count)
        let last = rows.rowCount > count ? rows.integer(row: count - 1, column: 8) : nil
        let next = last.map {
            Cursor(range: MetricList.noRange, key: [$0], of: MetricList.fingerprint(prefix))
        }
        Page.write(
            "metrics", nextCursor: next?.text, warnings: [limit.warning].compactMap(\.self),
            to: &writer
        ) { writer in
            for row in 0..<count { MetricList.writeMetric(rows, row: row, to: &writer) }
        }
    }

    private static func writeMetric(
        _ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("name", text: 0, of: rows, row: row)
            writer.member("type", text: 1, of: rows, row: row)
            writer.member("unit", text: 2, of: rows, row: row)
            writer.member("temporality", text: 3, of: rows, row: row)
            writer.key("is_monotonic")
            if let isMonotonic = rows.bool(row: row, column: 4) {
                writer.truth(isMonotonic)
            } else {
                writer.null()
            }
            writer.member("description", text: 5, of: rows, row: row)
            writer.member("first_seen_unix_nano", digits: 6, of: rows, row: row)
            writer.member("last_seen_unix_nano", digits: 7, of: rows, row: row)
        }
    }

    /// One row for each way in which a metric is sent; its description is the newest. The place of
    /// one in the order is told by its oldest row.
    private var statement: SQLStatement {
        var statement = SQLStatement()
        let prefix = statement.bind(prefix)
        var after = ""
        if let id = cursor?.key.first {
            let bound = statement.bind(id)
            after = """
                WHERE (name COLLATE "C", id) > (
                    SELECT name COLLATE "C", metric_id FROM otel_metrics_dim
                    WHERE metric_id = \(bound))
                """
        }
        statement.text = """
            SELECT * FROM (
                SELECT metric.name, type.name AS type, unit, temporality.name AS temporality,
                    is_monotonic, (array_agg(description ORDER BY last_seen DESC, metric_id DESC)
                        FILTER (WHERE description <> ''))[1] AS description,
                    otel_unix_nano(min(first_seen)), otel_unix_nano(max(last_seen)),
                    min(metric_id)::int8 AS id
                FROM otel_metrics_dim AS metric
                LEFT JOIN metric_types AS type USING (metric_type_id)
                LEFT JOIN aggregation_temporalities AS temporality
                    ON temporality_id = aggregation_temporality_id
                WHERE starts_with(metric.name, \(prefix))
                GROUP BY metric.name, type.name, unit, temporality.name, is_monotonic
            ) AS listed \(after)
            ORDER BY name COLLATE "C", id LIMIT \(limit.count + 1)
            """
        return statement
    }
}
