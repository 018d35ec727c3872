// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// What the figures of a range of time are added up from: the hours and minutes that have been
/// computed, and the spans of what is left.
struct FigureSources: Equatable {
    /// Ascending; no two overlap.
    private(set) var hours: [ServiceFigurePeriod] = []
    private(set) var minutes: [ServiceFigurePeriod] = []
    /// The rest of the range, ascending.
    private(set) var gaps: [TimeRange] = []
    /// Rows that were left out of what has been computed.
    private(set) var omittedCount: Int64 = 0

    private static let minuteNs: Int64 = 60_000_000_000
    private static let hourNs = 60 * minuteNs

    /// The spans of all of `range`.
    init(spansOf range: TimeRange) { gaps = [range] }

    /// `periods` ascend, do not overlap, and lie in `range`.
    init(_ range: TimeRange, periods: [ServiceFigurePeriod], omittedCount: Int64 = 0) {
        self.omittedCount = omittedCount
        var fromNs = range.startUnixNs
        for period in periods {
            if fromNs < period.startUnixNs {
                gaps.append(TimeRange(startUnixNs: fromNs, endUnixNs: period.startUnixNs))
            }
            fromNs = period.endUnixNs
            if period.lengthNs == FigureSources.hourNs {
                hours.append(period)
            } else {
                minutes.append(period)
            }
        }
        if fromNs < range.endUnixNs {
            gaps.append(TimeRange(startUnixNs: fromNs, endUnixNs: range.endUnixNs))
        }
    }

    /// The same with one gap from the first to the last.
    func withOneGap() -> FigureSources {
        guard let first = gaps.first, let last = gaps.last, gaps.count > 1 else { return self }
        var sources = self
        let gap = TimeRange(startUnixNs: first.startUnixNs, endUnixNs: last.endUnixNs)
        let isOutside = { (period: ServiceFigurePeriod) in
            period.endUnixNs <= gap.startUnixNs || period.startUnixNs >= gap.endUnixNs
        }
        sources.hours = hours.filter(isOutside)
        sources.minutes = minutes.filter(isOutside)
        sources.gaps = [gap]
        return sources
    }

    /// Looks up what has been computed. Hours are taken where they are whole and `usesHours` is
    /// true, then minutes.
    ///
    /// Cost: a row per hour, and one per minute that is in none of them.
    static func known(
        in range: TimeRange, from session: inout ReadSession, usesHours: Bool = true
    ) throws(QueryFailure) -> FigureSources {
        var statement = SQLStatement()
        let since = statement.bind(roundedUp(range.startUnixNs, to: minuteNs))
        let until = statement.bind(range.endUnixNs / minuteNs * minuteNs)
        let hourSince = statement.bind(roundedUp(range.startUnixNs, to: hourNs))
        let hourUntil = statement.bind(usesHours ? range.endUnixNs / hourNs * hourNs : 0)
        statement.text = """
            WITH whole AS MATERIALIZED (
                SELECT * FROM otel_service_figure_hours
                WHERE hour >= otel_time(\(hourSince)) AND hour < otel_time(\(hourUntil))
            )
            SELECT otel_unix_nano(hour) AS start, true AS is_hour, latency_bucket_count,
                omitted_row_count
            FROM whole
            UNION ALL
            SELECT otel_unix_nano(minute), false, latency_bucket_count, omitted_row_count
            FROM otel_service_figure_minutes AS known
            WHERE minute >= otel_time(\(since)) AND minute < otel_time(\(until))
                AND NOT EXISTS (
                    SELECT FROM whole WHERE hour = date_trunc('hour', minute, 'UTC'))
            ORDER BY start
            """
        let rows = try session.query(statement)
        var omittedCount: Int64 = 0
        let periods = (0..<rows.rowCount).map { row in
            omittedCount += rows.integer(row: row, column: 3) ?? 0
            return ServiceFigurePeriod(
                startUnixNs: rows.integer(row: row, column: 0) ?? 0,
                lengthNs: rows.bool(row: row, column: 1) == true ? hourNs : minuteNs,
                bucketCount: Int(rows.integer(row: row, column: 2) ?? 0))
        }
        return FigureSources(range, periods: periods, omittedCount: omittedCount)
    }

    private static func roundedUp(_ unixNs: Int64, to lengthNs: Int64) -> Int64 {
        let (up, isOver) = unixNs.addingReportingOverflow(lengthNs - 1)
        return (isOver ? .max : up) / lengthNs * lengthNs
    }
}
