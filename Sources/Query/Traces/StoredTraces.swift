// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Whole traces, for APIs that show spans.
///
/// Ownership: holds the rows. Spans are made of them one by one, when they are shown.
struct StoredTraces: ~Copyable {
    /// One trace: which rows are its spans, by their start.
    struct Trace {
        let id: TraceID
        var rows: [Int] = []
        /// Of `rows`, those beside which a different span with the same id was left out.
        var rivalled: Set<Int> = []
        fileprivate(set) var startUnixNs = Int64.max
    }

    private let rows: QueryResult
    private let promoted: [StoredSpan.PromotedColumn]
    /// Newest first, by the start of the first span.
    let traces: [Trace]
    /// Whether there are more spans than were read: of the last trace that was found, some are
    /// missing then, and further ones as a whole.
    let isCut: Bool

    /// Spans that are read at a time, of all traces together.
    static let spanCountMax = 100_000

    /// Reads the traces `ids`, of which those that do not exist are left out. Without `range` every
    /// partition is looked into.
    init(
        _ ids: [TraceID], in range: ClosedRange<Int64>?, from session: inout ReadSession
    ) throws(QueryFailure) {
        let columns = try session.fieldCatalogue().spanColumns
        let statement = StoredTraces.statement(
            ids, in: range, columns.map { "fact.\($0.column.name)" })
        rows = try session.query(statement)
        promoted = columns.map { StoredSpan.PromotedColumn(key: $0.key, type: $0.column.type) }
        isCut = rows.rowCount > StoredTraces.spanCountMax
        traces = StoredTraces.grouped(rows, ids)
    }

    subscript(row: Int) -> StoredSpan {
        StoredSpan(rows, row: row, first: StoredTraces.firstSpanColumn, promoted: promoted)
    }

    /// Of the span in `row`.
    func resourceID(row: Int) -> Int64 {
        rows.integer(
            row: row, column: StoredTraces.firstSpanColumn + StoredSpan.Column.resourceID) ?? 0
    }

    /// Of the span in `row`; nil where it has none.
    func scopeID(row: Int) -> Int64? {
        rows.integer(row: row, column: StoredTraces.firstSpanColumn + StoredSpan.Column.scopeID)
    }

    /// The ids of everything that spans have in common.
    func ids(ofColumn column: Int) -> [Int64] {
        var ids: Set<Int64> = []
        for row in 0..<rows.rowCount {
            let id = rows.integer(row: row, column: StoredTraces.firstSpanColumn + column)
            if let id { ids.insert(id) }
        }
        return ids.sorted()
    }

    // MARK: SQL

    private static let firstSpanColumn = 1

    /// Attributes are taken from where they are: to put those of the columns together with the rest
    /// in the database, as the views do, takes most of the time of a large trace.
    private static func statement(
        _ ids: [TraceID], in range: ClosedRange<Int64>?, _ promoted: [String]
    ) -> SQLStatement {
        var statement = SQLStatement()
        let wanted = statement.bind(ids.map(\.text))
        var condition = "trace_id = wanted.id::uuid"
        if let range {
            condition += " AND start_time_unix_nano >= \(statement.bind(range.lowerBound))"
            condition += " AND start_time_unix_nano <= \(statement.bind(range.upperBound))"
        }
        // OFFSET keeps the traces apart, so that each is found by the index.
        statement.text = """
            SELECT \((["wanted.ordinal", StoredSpan.columns] + promoted).joined(separator: ", "))
            FROM unnest(\(wanted)) WITH ORDINALITY AS wanted (id, ordinal)
            CROSS JOIN LATERAL (
                SELECT * FROM otel_spans_fact WHERE \(condition) OFFSET 0) AS fact
            LEFT JOIN otel_operations_dim AS operation USING (operation_id)
            ORDER BY wanted.ordinal, fact.start_time_unix_nano, fact.span_id
            LIMIT \(spanCountMax + 1)
            """
        return statement
    }

    private static func grouped(_ rows: borrowing QueryResult, _ ids: [TraceID]) -> [Trace] {
        var traces: [Trace] = []
        var ordinal: Int64?
        var shown: [SpanKey: Int] = [:]
        for row in 0..<min(rows.rowCount, spanCountMax) {
            let current = rows.integer(row: row, column: 0) ?? 0
            if ordinal != current {
                ordinal = current
                shown.removeAll(keepingCapacity: true)
                traces.append(Trace(id: ids[Int(current) - 1]))
            }
            let last = traces.count - 1
            let key = SpanKey(rows, row: row)
            if let other = shown[key] {
                if SpanKey.isDifferent(rows, row, other) { traces[last].rivalled.insert(other) }
            } else {
                shown[key] = row
                traces[last].rows.append(row)
                let start = rows.integer(
                    row: row, column: firstSpanColumn + StoredSpan.Column.startUnixNs)
                traces[last].startUnixNs = min(traces[last].startUnixNs, start ?? .max)
            }
        }
        return traces.sorted {
            ($1.startUnixNs, $0.id.text) < ($0.startUnixNs, $1.id.text)
        }
    }

    /// What a span is shown once for. Client and server of one call may share an id: their kinds
    /// differ.
    private struct SpanKey: Hashable {
        private let spanID: String
        private let kind: Int64?

        init(_ rows: borrowing QueryResult, row: Int) {
            spanID = rows.string(row: row, column: firstSpanColumn + StoredSpan.Column.spanID)
            kind = rows.integer(row: row, column: firstSpanColumn + StoredSpan.Column.kind)
        }

        /// Whether two rows of one key are more than the same span stored twice.
        static func isDifferent(_ rows: borrowing QueryResult, _ row: Int, _ other: Int) -> Bool {
            for column in 0..<rows.columnCount
            where !rows.bytes(row: row, column: column)
                .elementsEqual(rows.bytes(row: other, column: column))
            {
                return true
            }
            return false
        }
    }
}
