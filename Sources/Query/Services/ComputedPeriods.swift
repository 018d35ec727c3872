// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Where it stands which minutes and hours have been computed of one kind of figures.
struct ComputedPeriods {
    private let minuteTable: String
    private let hourTable: String
    /// Columns of both tables.
    private let elementCountColumn: String
    private let omittedCountColumn: String

    static let figures = ComputedPeriods(
        minuteTable: "otel_service_figure_minutes", hourTable: "otel_service_figure_hours",
        elementCountColumn: "latency_bucket_count", omittedCountColumn: "omitted_row_count")

    static let edges = ComputedPeriods(
        minuteTable: "otel_service_edge_minutes", hourTable: "otel_service_edge_hours",
        elementCountColumn: "edge_count", omittedCountColumn: "omitted_edge_count")

    struct Known {
        /// Ascending; no two overlap.
        var periods: [ComputedPeriod] = []
        /// What was left out of them.
        var omittedCount: Int64 = 0
    }

    /// Those in `range`: hours that are whole, where `usesHours` is true, and minutes that are in
    /// none of them.
    ///
    /// Cost: a row per hour, and one per minute that is in none of them.
    func known(
        in range: TimeRange, usesHours: Bool = true, from session: inout ReadSession
    ) throws(QueryFailure) -> Known {
        let rows = try session.query(statement(range, usesHours: usesHours))
        var known = Known()
        for row in 0..<rows.rowCount {
            known.omittedCount += rows.integer(row: row, column: 3) ?? 0
            known.periods.append(
                ComputedPeriod(
                    startUnixNs: rows.integer(row: row, column: 0) ?? 0,
                    lengthNs: rows.bool(row: row, column: 1) == true
                        ? ServiceEdgeLimits.hourNs : ServiceEdgeLimits.minuteNs,
                    elementCount: Int(rows.integer(row: row, column: 2) ?? 0)))
        }
        return known
    }

    private func statement(_ range: TimeRange, usesHours: Bool) -> SQLStatement {
        let (minuteNs, hourNs) = (ServiceEdgeLimits.minuteNs, ServiceEdgeLimits.hourNs)
        var statement = SQLStatement()
        let since = statement.bind(ComputedPeriods.roundedUp(range.startUnixNs, to: minuteNs))
        let until = statement.bind(range.endUnixNs / minuteNs * minuteNs)
        let hourSince = statement.bind(ComputedPeriods.roundedUp(range.startUnixNs, to: hourNs))
        let hourUntil = statement.bind(usesHours ? range.endUnixNs / hourNs * hourNs : 0)
        statement.text = """
            WITH whole AS MATERIALIZED (
                SELECT * FROM \(hourTable)
                WHERE hour >= otel_time(\(hourSince)) AND hour < otel_time(\(hourUntil))
            )
            SELECT otel_unix_nano(hour) AS start, true AS is_hour, \(elementCountColumn),
                \(omittedCountColumn)
            FROM whole
            UNION ALL
            SELECT otel_unix_nano(minute), false, \(elementCountColumn), \(omittedCountColumn)
            FROM \(minuteTable) AS known
            WHERE minute >= otel_time(\(since)) AND minute < otel_time(\(until))
                AND NOT EXISTS (
                    SELECT FROM whole WHERE hour = date_trunc('hour', minute, 'UTC'))
            ORDER BY start
            """
        return statement
    }

    private static func roundedUp(_ unixNs: Int64, to lengthNs: Int64) -> Int64 {
        let (up, isOver) = unixNs.addingReportingOverflow(lengthNs - 1)
        return (isOver ? .max : up) / lengthNs * lengthNs
    }
}
