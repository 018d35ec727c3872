// SPDX-License-Identifier: Apache-2.0
internal import Base

extension PGConnection {
    /// What became of the hours that were due.
    struct AddedUpHours {
        var doneCount = 0
        /// Left to the next run.
        var leftCount = 0
        /// The first one that is about a single hour.
        var firstError: DatabaseError?
    }

    /// Lends each hour that is whole and not in the table `hours` to `addUp`, newest first, and
    /// begins none after `untilNs`.
    ///
    /// Errors: those after which the connection cannot go on.
    mutating func addUpWholeHours(
        notIn hours: String, minutes: String, nowUnixNs: Int64, untilNs: UInt64,
        _ addUp: (_ hourNs: Int64, inout PGConnection) throws(DatabaseError) -> Void
    ) throws(DatabaseError) -> AddedUpHours {
        var result = AddedUpHours()
        let due = try wholeHours(
            notIn: hours, minutes: minutes, nowUnixNs: nowUnixNs,
            deadlineNs: Deadline.inMs(MaintenanceLimits.stepTimeoutMs))
        for (done, hourNs) in due.enumerated() {
            if stop.isFired { throw .stopped() }
            guard Clock.monotonicNs < untilNs else {
                result.leftCount = due.count - done
                break
            }
            do throws(DatabaseError) {
                try addUp(hourNs, &self)
                result.doneCount += 1
            } catch {
                guard isUsable, error.disposition != .stopped else { throw error }
                result.firstError = result.firstError ?? error
            }
        }
        return result
    }

    /// Begins of hours that have all sixty of their minutes in the table `minutes`, and are not in
    /// the table `hours`, in Unix nanoseconds, newest first. None before the second look at its
    /// last minute, which computes that anew in any case.
    private mutating func wholeHours(
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
