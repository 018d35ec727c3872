// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy

/// One look at the minutes that are over, and their edges: `otel_service_minute_edges` and
/// `otel_service_hour_edges` are brought up to date, and with them `otel_service_figures`. Run it
/// again and again.
///
/// A minute is computed when it has been over for `closeAfterNs`, and anyway again at the next look
/// of `looksAfterNs`; at later looks only where the number of its spans is another than before, and
/// then its neighbours in the next run, because spans have parents there. Newest minutes come
/// first. Where there is more than a run may do, the rest is for the next.
///
/// Thread: any; the connection is the caller's, outside a transaction. Any number of daemons may
/// try at once: one does it. Writers wait for nothing of it.
package struct ServiceEdgeRound: Sendable {
    /// The lesser of the daemon's clock and the server's, in Unix nanoseconds.
    package let nowUnixNs: Int64
    /// The resource attribute that names the tenant (`retention.tenant_attribute`).
    package let tenantAttribute: String

    package init(nowUnixNs: Int64, tenantAttribute: String) {
        self.nowUnixNs = nowUnixNs
        self.tenantAttribute = tenantAttribute
    }

    /// What a run did.
    package struct Outcome: Sendable, Equatable {
        package var computedCount = 0
        /// Those that were looked at and had not changed.
        package var unchangedCount = 0
        /// Those that were due and are left to the next run.
        package var leftCount = 0
        package var edgeCount: Int64 = 0
        /// Edges beyond `ServiceEdgeLimits.edgesPerMinuteMax`.
        package var omittedEdgeCount: Int64 = 0
        /// Minutes that are in the map no more, because their spans were dropped.
        package var prunedCount = 0
        /// Hours of the map that were added up.
        package var hourCount = 0
        /// Minutes that got figures of services without being due in the map.
        package var figureMinuteCount = 0
        /// Hours of figures that were added up.
        package var figureHourCount = 0
    }

    /// Brings the map up to date; nil when another session is at it.
    ///
    /// Errors: those of the connection, and `transient` for a minute that took too long, after the
    /// others were tried; what was done stays.
    package func run(on connection: inout PGConnection) throws(DatabaseError) -> Outcome? {
        let untilNs = Deadline.inMs(ServiceEdgeLimits.runMs)
        return try connection.alone(.serviceMap, deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            var (outcome, firstError): (Outcome, DatabaseError?) = (Outcome(), nil)
            var failedMinutes: [Int64] = []
            let kept = try connection.listPartitions(deadlineNs: stepDeadlineNs)
                .filter { $0.table == .spans && $0.isAttached }.map(\.range)
            outcome.prunedCount = try prune(keeping: kept, on: &connection)
            try pruneTenants(on: &connection)
            let due = try dueMinutes(among: kept, on: &connection)
            let sql = try ServiceEdgeSQL.load(on: &connection, deadlineNs: stepDeadlineNs)
            for (done, minute) in due.enumerated() {
                guard done < ServiceEdgeLimits.minutesPerRunMax, Clock.monotonicNs < untilNs else {
                    outcome.leftCount = due.count - done
                    break
                }
                if connection.stop.isFired { throw .stopped() }
                do throws(DatabaseError) {
                    try settle(minute, sql, into: &outcome, on: &connection)
                } catch {
                    guard connection.isUsable, error.disposition != .stopped else { throw error }
                    firstError = firstError ?? error
                    failedMinutes.append(minute.startNs)
                }
            }
            let hourError = try addUpHours(untilNs: untilNs, into: &outcome, on: &connection)
            firstError = firstError ?? hourError
            // With a time of its own: figures need less than edges, and do not wait for them.
            let figures = try ServiceFigureRound(
                nowUnixNs: nowUnixNs, tenantAttribute: tenantAttribute, kept: kept,
                doubtedMinutes: failedMinutes, untilNs: Deadline.inMs(ServiceEdgeLimits.runMs)
            ).run(on: &connection)
            outcome.figureMinuteCount = figures.minuteCount
            outcome.figureHourCount = figures.hourCount
            outcome.leftCount += figures.leftCount
            if let error = firstError ?? figures.firstError { throw error }
            return outcome
        }
    }

    var stepDeadlineNs: UInt64 { Deadline.inMs(MaintenanceLimits.stepTimeoutMs) }

    // MARK: What is due

    struct DueMinute {
        let startNs: Int64
        /// Of the look before; nil where there was none.
        let spanCount: Int64?
        /// It is computed even if its spans are as many as before.
        let isComputedAnyway: Bool
        /// If its spans are more or fewer than before, its neighbours are computed anew as well.
        let concernsNeighbours: Bool
    }

    /// Minutes of the window that a look is due for, newest first.
    private func dueMinutes(
        among kept: [PartitionRange], on connection: inout PGConnection
    ) throws(DatabaseError) -> [DueMinute] {
        let minuteNs = ServiceEdgeLimits.minuteNs
        let lastNs = ServiceEdgeLimits.lastClosedMinuteNs(nowUnixNs: nowUnixNs)
        let windowNs = nowUnixNs - ServiceEdgeLimits.windowNs
        guard let firstNs = try firstSpanNs(since: windowNs, on: &connection) else { return [] }
        var looks = ArrayParameter(.int8)
        for look in ServiceEdgeLimits.looksAfterNs { looks.append(look) }
        var parameters = QueryParameters(kept.bounds + [looks])
        parameters.append(firstNs / minuteNs * minuteNs)
        parameters.append(lastNs)
        parameters.append(nowUnixNs)
        let result = try connection.query(
            ServiceEdgeRound.dueStatement, parameters, deadlineNs: stepDeadlineNs)
        return (0..<result.rowCount).map { row in
            DueMinute(
                startNs: result.integer(row: row, column: 0) ?? 0,
                spanCount: result.integer(row: row, column: 1),
                isComputedAnyway: result.bool(row: row, column: 2) == true,
                concernsNeighbours: result.bool(row: row, column: 3) == true)
        }
    }

    /// A look is due where the last one was before its time, and that has come. The second look
    /// computes anyway: spans of the minute after it were not all there at the first.
    private static let dueStatement = """
        SELECT start, known.span_count, coalesce(known.is_stale OR is_second, true),
            coalesce(NOT is_second, false)
        FROM (SELECT \(ServiceEdgeLimits.minuteNs)::int8) AS minute (length)
        CROSS JOIN LATERAL generate_series($5::int8, $4::int8, -minute.length) AS start
        LEFT JOIN otel_service_edge_minutes AS known ON known.minute = otel_time(start)
        CROSS JOIN LATERAL (SELECT
            otel_unix_nano(known.computed_at) < start + minute.length + $3[2]) AS look (is_second)
        WHERE EXISTS (SELECT FROM unnest($1::int8[], $2::int8[]) AS kept (since, until)
                WHERE since <= start AND start < until)
            AND (known.minute IS NULL OR known.is_stale OR EXISTS (
                SELECT FROM unnest($3::int8[]) AS look
                WHERE start + minute.length + look <= $6
                    AND otel_unix_nano(known.computed_at) < start + minute.length + look))
        ORDER BY start DESC
        """

    /// Where there is nothing, no minute is due.
    private func firstSpanNs(
        since fromNs: Int64, on connection: inout PGConnection
    ) throws(DatabaseError) -> Int64? {
        var parameters = QueryParameters()
        parameters.append(fromNs)
        parameters.append(nowUnixNs)
        return try connection.query(
            """
            SELECT min(start_time_unix_nano) FROM otel_spans_fact
            WHERE start_time_unix_nano >= $1 AND start_time_unix_nano < $2
            """, parameters, deadlineNs: stepDeadlineNs
        ).integer(row: 0, column: 0)
    }

    // MARK: One minute

    /// One transaction: counts, and computes where that is necessary.
    private func settle(
        _ minute: DueMinute, _ sql: ServiceEdgeSQL, into outcome: inout Outcome,
        on connection: inout PGConnection
    ) throws(DatabaseError) {
        let result = try connection.withMinuteTransaction(deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) -> (edges: Int64, omitted: Int64)? in
            if !minute.isComputedAnyway,
                try connection.spanCount(
                    from: minute.startNs, until: minute.startNs + ServiceEdgeLimits.minuteNs,
                    deadlineNs: stepDeadlineNs) == minute.spanCount
            {
                try touch(minute, on: &connection)
                return nil
            }
            return try replace(minute, sql, on: &connection)
        }
        guard let result else {
            outcome.unchangedCount += 1
            return
        }
        outcome.computedCount += 1
        outcome.edgeCount += result.edges
        outcome.omittedEdgeCount += result.omitted
    }

    private func parameters(_ minute: DueMinute) -> QueryParameters {
        var parameters = QueryParameters()
        parameters.append(minute.startNs)
        parameters.append(minute.startNs + ServiceEdgeLimits.minuteNs)
        return parameters
    }

    private func touch(
        _ minute: DueMinute, on connection: inout PGConnection
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(minute.startNs)
        parameters.append(nowUnixNs)
        _ = try connection.query(
            """
            UPDATE otel_service_edge_minutes SET computed_at = otel_time($2)
            WHERE minute = otel_time($1)
            """, parameters, deadlineNs: stepDeadlineNs)
    }

    private func markNeighbours(
        of minute: DueMinute, on connection: inout PGConnection
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(minute.startNs)
        _ = try connection.query(
            """
            UPDATE otel_service_edge_minutes SET is_stale = true
            WHERE minute IN (otel_time($1) - interval '1 minute',
                otel_time($1) + interval '1 minute')
            """, parameters, deadlineNs: stepDeadlineNs)
    }

    private func replace(
        _ minute: DueMinute, _ sql: ServiceEdgeSQL, on connection: inout PGConnection
    ) throws(DatabaseError) -> (edges: Int64, omitted: Int64) {
        var start = QueryParameters()
        start.append(minute.startNs)
        _ = try connection.query(
            ServiceEdgeSQL.clearing, start, deadlineNs: stepDeadlineNs)
        try ServiceFigureRound.clear(
            from: minute.startNs, until: minute.startNs + ServiceEdgeLimits.minuteNs,
            on: &connection, deadlineNs: stepDeadlineNs)
        var parameters = parameters(minute)
        parameters.append(tenantAttribute)
        parameters.append(nowUnixNs)
        let result = try connection.query(
            sql.replacement, parameters, deadlineNs: stepDeadlineNs)
        if minute.concernsNeighbours, result.integer(row: 0, column: 2) != minute.spanCount {
            try markNeighbours(of: minute, on: &connection)
        }
        return (result.integer(row: 0, column: 0) ?? 0, result.integer(row: 0, column: 1) ?? 0)
    }
}
