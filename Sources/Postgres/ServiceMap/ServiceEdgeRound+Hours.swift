// SPDX-License-Identifier: Apache-2.0
internal import Base

extension ServiceEdgeRound {
    /// Adds up the hours of which all minutes are in the map, newest first.
    ///
    /// Returns the first error that is about one hour. Errors: those after which the connection
    /// cannot go on.
    func addUpHours(
        untilNs: UInt64, into outcome: inout Outcome, on connection: inout PGConnection
    ) throws(DatabaseError) -> DatabaseError? {
        var firstError: DatabaseError?
        let due = try connection.wholeHours(
            notIn: "otel_service_edge_hours", minutes: "otel_service_edge_minutes",
            nowUnixNs: nowUnixNs, deadlineNs: stepDeadlineNs)
        for (done, hourNs) in due.enumerated() {
            if connection.stop.isFired { throw .stopped() }
            guard Clock.monotonicNs < untilNs else {
                outcome.leftCount += due.count - done
                break
            }
            do throws(DatabaseError) {
                try addUp(hourNs, on: &connection)
                outcome.hourCount += 1
            } catch {
                guard connection.isUsable, error.disposition != .stopped else { throw error }
                firstError = firstError ?? error
            }
        }
        return firstError
    }

    private func addUp(
        _ hourNs: Int64, on connection: inout PGConnection
    ) throws(DatabaseError) {
        try connection.withMinuteTransaction(deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            var parameters = QueryParameters()
            parameters.append(hourNs)
            _ = try connection.query(
                "DELETE FROM otel_service_hour_edges WHERE hour = otel_time($1)", parameters,
                deadlineNs: stepDeadlineNs)
            _ = try connection.query(
                ServiceEdgeSQL.hourStatement, parameters, deadlineNs: stepDeadlineNs)
        }
    }
}

extension PGConnection {
    /// Begins of hours that have all sixty of their minutes in the table `minutes`, and are not in
    /// the table `hours`, in Unix nanoseconds, newest first. None before the second look at its
    /// last minute, which computes that anew in any case.
    mutating func wholeHours(
        notIn hours: String, minutes: String, nowUnixNs: Int64, deadlineNs: UInt64
    ) throws(DatabaseError) -> [Int64] {
        let secondLookNs = ServiceEdgeLimits.looksAfterNs[1]
        var parameters = QueryParameters()
        parameters.append(nowUnixNs - secondLookNs - ServiceEdgeLimits.hourNs)
        let result = try query(
            """
            SELECT otel_unix_nano(hour.hour)
            FROM (SELECT date_trunc('hour', min(minute), 'UTC') FROM \(minutes)) AS first (start)
            CROSS JOIN LATERAL generate_series(first.start, otel_time($1), interval '1 hour')
                AS hour
            WHERE NOT EXISTS (SELECT FROM \(hours) AS known WHERE known.hour = hour.hour)
                AND (SELECT count(*) FROM \(minutes)
                    WHERE minute >= hour.hour AND minute < hour.hour + interval '1 hour'
                        AND computed_at >= minute + interval '1 minute'
                            + \(secondLookNs / 1_000) * interval '1 microsecond') = 60
            ORDER BY hour.hour DESC
            """, parameters, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { result.integer(row: $0, column: 0) }
    }
}
