// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy

/// One look at the figures of services: minutes that have none get them, and hours that are whole
/// are added up. Minutes that the service map computes have their figures from there, in the same
/// transaction.
///
/// Thread and connection: those of `ServiceEdgeRound`, while it has the lock.
struct ServiceFigureRound {
    /// As in `ServiceEdgeRound`.
    let nowUnixNs: Int64
    let tenantAttribute: String
    /// Partitions that have spans.
    let kept: [PartitionRange]
    /// Minutes that the service map could not compute anew, in Unix nanoseconds.
    let doubtedMinutes: [Int64]
    /// Monotonic; nothing is begun after it.
    let untilNs: UInt64

    struct Outcome {
        var minuteCount = 0
        var hourCount = 0
        /// Minutes and hours that are left to the next run.
        var leftCount = 0
        var firstError: DatabaseError?
    }

    static let minuteNs = ServiceEdgeLimits.minuteNs
    static let hourNs = ServiceEdgeLimits.hourNs

    var stepDeadlineNs: UInt64 { Deadline.inMs(MaintenanceLimits.stepTimeoutMs) }

    var isOver: Bool { Clock.monotonicNs >= untilNs }

    /// Errors: those after which the connection cannot go on. Others are in the outcome.
    func run(on connection: inout PGConnection) throws(DatabaseError) -> Outcome {
        var outcome = Outcome()
        try forgetMinutesWithLateSpans(on: &connection)
        try fillMinutes(into: &outcome, on: &connection)
        try addUpHours(into: &outcome, on: &connection)
        return outcome
    }

    // MARK: Minutes

    /// Several at once where they are quickly done, newest first.
    private func fillMinutes(
        into outcome: inout Outcome, on connection: inout PGConnection
    ) throws(DatabaseError) {
        let due = try minutesWithout(on: &connection)
        var (next, countMax) = (0, 1)
        while next < due.count, !isOver {
            if connection.stop.isFired { throw .stopped() }
            let end = ServiceFigureRound.endOfRun(in: due, from: next, countMax: countMax)
            let begunNs = Clock.monotonicNs
            do throws(DatabaseError) {
                try fill(
                    from: due[end - 1], until: due[next] + ServiceFigureRound.minuteNs,
                    on: &connection)
            } catch {
                guard connection.isUsable, error.disposition != .stopped else { throw error }
                // One by one, so that those that can be done are done.
                if end - next == 1 {
                    outcome.firstError = outcome.firstError ?? error
                    next = end
                }
                countMax = 1
                continue
            }
            outcome.minuteCount += end - next
            next = end
            countMax = ServiceFigureRound.next(countMax, tookNs: Clock.monotonicNs - begunNs)
        }
        outcome.leftCount += due.count - next
    }

    /// The end of the minutes from `first` on that follow one another, `countMax` at most; `due`
    /// descends.
    static func endOfRun(in due: [Int64], from first: Int, countMax: Int) -> Int {
        var end = first + 1
        while end < due.count, end - first < countMax, due[end] == due[end - 1] - minuteNs {
            end += 1
        }
        return end
    }

    private static func next(_ countMax: Int, tookNs: UInt64) -> Int {
        let goalNs = UInt64(ServiceEdgeLimits.figureStatementMs) * 1_000_000
        if tookNs > goalNs { return max(1, countMax / 2) }
        return tookNs < goalNs / 2
            ? min(ServiceEdgeLimits.figureMinutesMax, countMax * 2) : countMax
    }

    /// Those that are over and have no figures, newest first.
    private func minutesWithout(
        on connection: inout PGConnection
    ) throws(DatabaseError) -> [Int64] {
        var parameters = QueryParameters(kept.bounds)
        parameters.append(ServiceEdgeLimits.lastClosedMinuteNs(nowUnixNs: nowUnixNs))
        let result = try connection.query(
            ServiceFigureRound.withoutStatement, parameters, deadlineNs: stepDeadlineNs)
        return (0..<result.rowCount).compactMap { result.integer(row: $0, column: 0) }
    }

    /// An hour that is added up has all of its minutes. Partitions begin and end with an hour.
    private static let withoutStatement = """
        SELECT minute.start
        FROM (SELECT min(start_time_unix_nano) / \(hourNs) * \(hourNs)
            FROM otel_spans_fact WHERE start_time_unix_nano < $3) AS first (start)
        CROSS JOIN unnest($1::int8[], $2::int8[]) AS kept (since, until)
        CROSS JOIN LATERAL generate_series(
            greatest(since, first.start), least(until - 1, $3::int8), \(hourNs)) AS hour (start)
        CROSS JOIN LATERAL generate_series(
            hour.start, least(hour.start + \(hourNs - minuteNs), $3::int8), \(minuteNs))
            AS minute (start)
        WHERE NOT EXISTS (
                SELECT FROM otel_service_figure_hours AS known
                WHERE known.hour = otel_time(hour.start))
            AND NOT EXISTS (
                SELECT FROM otel_service_figure_minutes AS known
                WHERE known.minute = otel_time(minute.start))
        ORDER BY minute.start DESC LIMIT 20000
        """

    private func fill(
        from startNs: Int64, until endNs: Int64, on connection: inout PGConnection
    ) throws(DatabaseError) {
        try connection.withMinuteTransaction(deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            try ServiceFigureRound.clear(
                from: startNs, until: endNs, on: &connection, deadlineNs: stepDeadlineNs)
            var parameters = QueryParameters()
            parameters.append(startNs)
            parameters.append(endNs)
            parameters.append(tenantAttribute)
            parameters.append(nowUnixNs)
            _ = try connection.query(
                ServiceFigureSQL.statement, parameters, deadlineNs: stepDeadlineNs)
        }
    }

    /// Takes out the figures of minutes, before others come in; hours that they are in do not count
    /// any more.
    static func clear(
        from startNs: Int64, until endNs: Int64, on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(startNs)
        parameters.append(endNs)
        _ = try connection.query(
            """
            WITH hours AS (
                DELETE FROM otel_service_figure_hours
                WHERE hour > otel_time($1) - interval '1 hour' AND hour < otel_time($2)
            )
            DELETE FROM otel_service_figures
            WHERE minute >= otel_time($1) AND minute < otel_time($2)
            """, parameters, deadlineNs: deadlineNs)
    }
}
