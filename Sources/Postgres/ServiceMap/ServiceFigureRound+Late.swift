// SPDX-License-Identifier: Apache-2.0
internal import Base

extension ServiceFigureRound {
    /// A minute that may have got spans since it was computed.
    private struct Suspect {
        let startNs: Int64
        let spanCount: Int64
    }

    /// Takes out the minutes that got spans when the last look at them was over, as from an import,
    /// or when the service map could not compute them anew. They are answered out of their spans
    /// until they are computed.
    ///
    /// Cost: reads what `otel_row_batches` has of the last minutes, and counts the spans of the
    /// minutes that it names; where there is no time for that, they are taken out uncounted.
    func forgetMinutesWithLateSpans(on connection: inout PGConnection) throws(DatabaseError) {
        let (suspects, xmin) = try suspects(on: &connection)
        guard !suspects.isEmpty else { return }
        var (changed, unchanged) = (ArrayParameter(.int8), ArrayParameter(.int8))
        for suspect in suspects {
            if connection.stop.isFired { throw .stopped() }
            if !isOver, try spanCount(of: suspect, on: &connection) == suspect.spanCount {
                unchanged.append(suspect.startNs)
            } else {
                changed.append(suspect.startNs)
            }
        }
        var parameters = QueryParameters([changed, unchanged])
        parameters.append(xmin)
        _ = try connection.query(
            """
            WITH gone AS (
                DELETE FROM otel_service_figure_minutes
                WHERE minute IN (SELECT otel_time(start) FROM unnest($1::int8[]) AS start)
            ), gone_hours AS (
                DELETE FROM otel_service_figure_hours
                WHERE hour IN (SELECT date_trunc('hour', otel_time(start), 'UTC')
                    FROM unnest($1::int8[]) AS start)
            )
            UPDATE otel_service_figure_minutes SET snapshot_xmin = $3::xid8
            WHERE minute IN (SELECT otel_time(start) FROM unnest($2::int8[]) AS start)
            """, parameters, deadlineNs: stepDeadlineNs)
    }

    /// Doubted minutes, and those before what the service map looks at again, newest first; and the
    /// oldest transaction that was under way when they were looked up.
    private func suspects(
        on connection: inout PGConnection
    ) throws(DatabaseError) -> (suspects: [Suspect], xmin: String) {
        var parameters = QueryParameters()
        parameters.append(nowUnixNs - ServiceEdgeLimits.windowNs)
        var doubted = ArrayParameter(.int8)
        for minute in doubtedMinutes { doubted.append(minute) }
        parameters.append(doubted)
        let result = try connection.query(
            ServiceFigureRound.suspectStatement, parameters, deadlineNs: stepDeadlineNs)
        let suspects = (0..<result.rowCount).map { row in
            Suspect(
                startNs: result.integer(row: row, column: 0) ?? 0,
                spanCount: result.integer(row: row, column: 1) ?? 0)
        }
        return (suspects, result.rowCount > 0 ? result.string(row: 0, column: 2) : "")
    }

    /// Batches are taken together by the hours that they begin and end in: of many that cover the
    /// same time, each would name the same minutes.
    private static let suspectStatement = """
        WITH late AS MATERIALIZED (
            SELECT first_unix_nano / \(hourNs), last_unix_nano / \(hourNs),
                min(first_unix_nano) AS first, max(last_unix_nano) AS last,
                max(transaction_id) AS transaction_id
            FROM otel_row_batches WHERE signal = 'traces' AND first_unix_nano < $1
            GROUP BY 1, 2
        )
        SELECT otel_unix_nano(minute), span_count, pg_snapshot_xmin(pg_current_snapshot())::text
        FROM (SELECT minute, span_count
            FROM late JOIN otel_service_figure_minutes
                ON minute > otel_time(first) - interval '1 minute' AND minute <= otel_time(last)
                    AND snapshot_xmin <= transaction_id
            WHERE minute < otel_time($1)
            UNION
            SELECT minute, span_count FROM otel_service_figure_minutes
            WHERE minute IN (SELECT otel_time(start) FROM unnest($2::int8[]) AS start)
        ) AS suspect
        ORDER BY minute DESC
        """

    private func spanCount(
        of suspect: Suspect, on connection: inout PGConnection
    ) throws(DatabaseError) -> Int64 {
        try connection.spanCount(
            from: suspect.startNs, until: suspect.startNs + ServiceEdgeLimits.minuteNs,
            deadlineNs: stepDeadlineNs)
    }
}

extension PGConnection {
    /// Spans that begin from a time until another, in Unix nanoseconds. Reads no more than the
    /// index.
    mutating func spanCount(
        from startNs: Int64, until endNs: Int64, deadlineNs: UInt64
    ) throws(DatabaseError) -> Int64 {
        var parameters = QueryParameters()
        parameters.append(startNs)
        parameters.append(endNs)
        return try query(
            """
            SELECT count(*) FROM otel_spans_fact
            WHERE start_time_unix_nano >= $1 AND start_time_unix_nano < $2
            """, parameters, deadlineNs: deadlineNs
        ).integer(row: 0, column: 0) ?? 0
    }
}
