// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The spans of one trace, by their start, out of the columns of the fact table.
///
/// Ownership: holds the rows.
struct TraceRows: ~Copyable {
    private let rows: QueryResult
    private let item: SpanExport
    /// What the spans have in common.
    let origins: Origins
    /// Spans that are shown.
    let count: Int

    /// Spans of one trace that are shown; a trace with more says so in its warnings.
    static let spanCountMax = 100_000

    /// Errors: `notFound`.
    init(_ id: TraceID, from session: inout ReadSession) throws(QueryFailure) {
        let item = SpanExport(.ndjson, try session.fieldCatalogue())
        var statement = SQLStatement()
        statement.text = """
            SELECT \(item.columns.joined(separator: ", ")) FROM otel_spans_fact AS fact
            LEFT JOIN otel_operations_dim AS operation USING (operation_id)
            WHERE fact.trace_id = \(statement.bind(id.text))::uuid
            ORDER BY fact.start_time_unix_nano, fact.span_id LIMIT \(TraceRows.spanCountMax + 1)
            """
        let found = try session.query(statement)
        guard found.rowCount > 0 else {
            throw QueryFailure(.notFound, "there is no trace \(id.text)")
        }
        var origins = Origins()
        try origins.load(
            of: found, resourceColumn: SpanExport.resourceColumn,
            scopeColumn: SpanExport.scopeColumn, from: &session)
        self.item = item
        self.origins = origins
        count = min(found.rowCount, TraceRows.spanCountMax)
        rows = found
    }

    /// What is to be said beside the spans.
    var warnings: [String] {
        rows.rowCount > count
            ? ["the trace has more than \(count) spans; these are the first"] : []
    }

    func startUnixNs(row: Int) -> Int64 {
        rows.integer(row: row, column: SpanExport.Column.startUnixNs) ?? 0
    }

    func endUnixNs(row: Int) -> Int64 {
        rows.integer(row: row, column: SpanExport.Column.endUnixNs) ?? 0
    }

    func isError(row: Int) -> Bool {
        rows.integer(row: row, column: SpanExport.Column.status) == SpanExport.errorStatus
    }

    /// Writes the list of them.
    func write(to writer: inout JSONWriter) {
        for row in 0..<count {
            writer.object { item.fields(rows, row: row, origins, to: &$0) }
        }
    }
}
