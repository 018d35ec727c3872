// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// One page of log records, newest first.
package struct LogSearch: Sendable {
    private let question: SearchQuestion

    package init(_ question: SearchQuestion) { self.question = question }

    /// Writes the page as one object. Errors: `invalidParameter`, `cursorMismatch`, `rangeTooWide`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let search = ItemSearch<LogKey>(question: question)
        let found = try search.run(on: &session)
        let logs = try session.query(LogSearch.rows(of: found.keys))
        Page.write(
            "logs", nextCursor: found.nextCursor, warnings: search.warnings(found), to: &writer
        ) { writer in
            for row in 0..<logs.rowCount { LogRows.write(logs, row: row, to: &writer) }
        }
    }

    /// The whole rows of `keys`, in their order.
    static func rows(of keys: [LogKey]) -> SQLStatement {
        var statement = SQLStatement()
        let columns = [
            "\(statement.bind(keys.map(\.resourceID)))::int4[]",
            statement.bind(keys.map(\.timeUnixNs)), statement.bind(keys.map(\.logID)),
        ]
        // The range, though the keys say it too, lets partitions be skipped in planning.
        statement.text = """
            SELECT \(LogRows.columns)
            FROM unnest(\(columns.joined(separator: ", ")))
                WITH ORDINALITY AS key (resource_id, time_unix_nano, log_id, position)
            JOIN v_otel_logs_enriched AS record ON record.resource_id = key.resource_id
                AND record.time_unix_nano = key.time_unix_nano AND record.log_id = key.log_id
            WHERE record.time_unix_nano BETWEEN \(statement.bind(keys.last?.timeUnixNs ?? 0))
                AND \(statement.bind(keys.first?.timeUnixNs ?? 0))
            ORDER BY key.position
            """
        return statement
    }
}
