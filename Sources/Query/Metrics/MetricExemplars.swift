// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Exemplars of the points of a metric, newest first: single values with the traces they came from.
package struct MetricExemplars: Sendable {
    private let question: MetricQuestion

    package init(_ question: MetricQuestion) { self.question = question }

    /// Errors: `notFound` where there is no such metric.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let range = try question.asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try range.check(widthNsMax: session.rangeNsMax)
        let metric = try MetricIdentity.find(question.metric, type: question.type, in: &session)
        var warnings = [question.limitWarning].compactMap { $0 } + metric.warnings
        // Summaries have none.
        let limit = metric.kind == .summary ? 0 : question.limit
        let compiler = try session.compiler(of: question.filter, .series)
        let rows = try session.query(
            statement(metric.kind == .summary ? .sum : metric.kind, range, compiler))
        if limit > 0, rows.rowCount > limit {
            warnings.append("there are more exemplars; these are the newest \(limit)")
        }
        writer.object { writer in
            writer.member("metric", question.metric)
            metric.write(to: &writer)
            writer.key("exemplars")
            writer.list { writer in
                for row in 0..<min(rows.rowCount, limit) {
                    writer.object { writer in
                        writer.member("time_unix_nano", digits: 0, of: rows, row: row)
                        writer.key("value")
                        if let value = rows.double(row: row, column: 1) {
                            writer.decimal(value)
                        } else {
                            writer.null()
                        }
                        writer.member("trace_id", text: 2, of: rows, row: row)
                        writer.member("span_id", text: 3, of: rows, row: row)
                        writer.member("attributes", json: 4, of: rows, row: row)
                        writer.member("series_id", digits: 5, of: rows, row: row)
                    }
                }
            }
            writer.member("warnings", warnings)
        }
    }

    /// The time of an exemplar is its own where it has one, and that of its point otherwise.
    private func statement(
        _ kind: MetricKind, _ range: TimeRange, _ compiler: FilterCompiler
    ) -> SQLStatement {
        var statement = SQLStatement()
        let name = statement.bind(question.metric)
        let condition = compiler.condition(question.filter, in: &statement)
        let (start, end) = (statement.bind(range.startUnixNs), statement.bind(range.endUnixNs))
        statement.text = """
            WITH matched AS MATERIALIZED (
                SELECT series.series_id FROM \(compiler.source)
                WHERE left(metric.name, 200) = left(\(name), 200) AND metric.name = \(name)
                    AND metric.metric_type_id = \(kind.rawValue) AND \(condition)
                ORDER BY series.series_id LIMIT \(MetricStatement.seriesCountMax)
            )
            SELECT CASE WHEN (form ->> 'time_unix_nano')::numeric BETWEEN 1 AND 9223372036854775807
                    THEN (form ->> 'time_unix_nano')::int8 ELSE time_unix_nano END AS time,
                coalesce(otel_value_int(form -> 'value_int')::float8,
                    otel_value_double(form -> 'value_double')),
                form ->> 'trace_id', form ->> 'span_id',
                coalesce(form -> 'attributes', '{}')::text, series_id
            FROM matched JOIN \(kind.table) AS fact USING (series_id)
            CROSS JOIN LATERAL jsonb_array_elements(fact.exemplars) AS element (form)
            WHERE time_unix_nano >= \(start) AND time_unix_nano < \(end)
            ORDER BY time DESC, series_id, form ->> 'span_id' LIMIT \(question.limit + 1)
            """
        return statement
    }
}
