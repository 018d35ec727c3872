// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// What transactions have stored since a snapshot, out of `otel_row_batches`.
struct StoredBatches: Sendable {
    /// What the statement saw, and when that was by the clock of the database.
    let snapshot: TransactionSnapshot
    let nowUnixNs: Int64
    private let batches: [Batch]

    private struct Batch: Sendable {
        let elements: SearchQuestion.Elements
        let xmin: Int64
        let startUnixNs: Int64
        let lastUnixNs: Int64
        /// Whether the snapshot in between has it.
        let isBefore: Bool
    }

    /// Rows, by the transactions that stored them and a range of time that they are in.
    struct Part: Sendable {
        let xmins: [Int64]
        let range: TimeRange
    }

    /// Those that are not in `earlier`, and are in `later`, or else by now. Those of them that are
    /// in `middle` are told from the others.
    ///
    /// Cost: reads the notes of all transactions from the oldest that was under way in `earlier`.
    init(
        after earlier: TransactionSnapshot, upTo later: TransactionSnapshot? = nil,
        divided middle: TransactionSnapshot? = nil, from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        let (earlier, later, middle) = (
            statement.bind(earlier.text), statement.bind(later?.text ?? ""),
            statement.bind(middle?.text ?? "")
        )
        let id = "batch.transaction_id"
        statement.text = """
            SELECT \(StoredBatches.now), batch.signal = 'logs', batch.xmin::text::bigint,
                batch.first_unix_nano, batch.last_unix_nano,
                COALESCE(
                    pg_visible_in_snapshot(\(id), NULLIF(\(middle), '')::pg_snapshot), false)
            FROM (SELECT) AS always LEFT JOIN otel_row_batches AS batch
                ON \(id) >= pg_snapshot_xmin(\(earlier)::pg_snapshot)
                AND NOT pg_visible_in_snapshot(\(id), \(earlier)::pg_snapshot)
                AND pg_visible_in_snapshot(
                    \(id), COALESCE(NULLIF(\(later), '')::pg_snapshot, pg_current_snapshot()))
            """
        let rows = try session.query(statement)
        (snapshot, nowUnixNs) = try StoredBatches.now(of: rows)
        var batches: [Batch] = []
        for row in 0..<rows.rowCount where !rows.isNull(row: row, column: 2) {
            batches.append(
                Batch(
                    elements: rows.bool(row: row, column: 2) == true ? .logs : .spans,
                    xmin: rows.integer(row: row, column: 3) ?? 0,
                    startUnixNs: rows.integer(row: row, column: 4) ?? 0,
                    lastUnixNs: rows.integer(row: row, column: 5) ?? 0,
                    isBefore: rows.bool(row: row, column: 6) ?? false))
        }
        self.batches = batches
    }

    private static let now = """
        pg_current_snapshot()::text,
        (extract(epoch FROM statement_timestamp()) * 1000000000)::bigint
        """

    /// What is seen now, and when that is.
    static func now(
        from session: inout ReadSession
    ) throws(QueryFailure) -> (TransactionSnapshot, unixNs: Int64) {
        try now(of: try session.query("SELECT \(now)"))
    }

    private static func now(
        of rows: borrowing QueryResult
    ) throws(QueryFailure) -> (TransactionSnapshot, unixNs: Int64) {
        let text = rows.string(row: 0, column: 0)
        guard let snapshot = TransactionSnapshot(text) else {
            throw QueryFailure(.failed, "the database says \"\(text)\", which is no snapshot")
        }
        return (snapshot, rows.integer(row: 0, column: 1) ?? 0)
    }

    /// Those of one signal, as far as rows of `windowNs` before now are among them; nil where there
    /// are none.
    func part(
        of elements: SearchQuestion.Elements, isBefore: Bool = false
    ) -> Part? {
        let windowStartUnixNs = nowUnixNs - TailLimits.windowNs
        let chosen = batches.filter {
            $0.elements == elements && $0.isBefore == isBefore
                && $0.lastUnixNs >= windowStartUnixNs
        }
        guard let start = chosen.map(\.startUnixNs).min(),
            let last = chosen.map(\.lastUnixNs).max()
        else { return nil }
        return Part(
            xmins: chosen.map(\.xmin),
            range: TimeRange(
                startUnixNs: max(start, windowStartUnixNs),
                endUnixNs: last == .max ? last : last + 1))
    }
}
