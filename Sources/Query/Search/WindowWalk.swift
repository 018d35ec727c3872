// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Goes through a range of time from its end to its start in windows, each so wide that it holds
/// few enough rows of the resources in question.
///
/// An index says where a window begins that holds so many rows: that by time, or those of the
/// resources. So the newest rows are found without a look at others. Where they do not pass the
/// filter, windows hold four times as many rows from one to the next: down to the last row that is
/// returned, no more rows are read than four times as many as there are of those resources, and
/// `rowCountMin`.
struct WindowWalk {
    private let facts: MatchedFacts
    private let startUnixNs: Int64
    /// Everything from here on is behind us.
    private(set) var endUnixNs: Int64
    private var rowCountMax: Int64
    private var readCount: Int64 = 0

    /// Rows of the first window, as a multiple of those that are wanted.
    static let rowsPerResult: Int64 = 4
    static let rowCountMin: Int64 = 500
    /// Rows that one walk may read; then it is for another to go on.
    static let readCountMax: Int64 = 2_000_000
    private static let growth: Int64 = 4

    init(_ facts: MatchedFacts, through range: TimeRange, wanting count: Int) {
        self.facts = facts
        startUnixNs = range.startUnixNs
        endUnixNs = range.endUnixNs
        rowCountMax = max(WindowWalk.rowCountMin, WindowWalk.rowsPerResult * Int64(count))
    }

    /// Whether everything is behind us.
    var isOver: Bool { endUnixNs <= startUnixNs || facts.resourceIDs?.isEmpty == true }

    /// Whether as much was read as may be.
    var isTired: Bool { readCount >= WindowWalk.readCountMax }

    /// The next window; nil where the walk is over or tired.
    mutating func next(from session: inout ReadSession) throws(QueryFailure) -> TimeRange? {
        guard !isOver, !isTired else { return nil }
        let rest = TimeRange(startUnixNs: startUnixNs, endUnixNs: endUnixNs)
        var window = rest
        if let firstNs = try timeBehind(rowCountMax, of: rest, from: &session) {
            // Without the row at `firstNs`, unless the window would be empty: rows of one moment
            // stay together, however many they are.
            window = TimeRange(
                startUnixNs: min(firstNs + 1, endUnixNs - 1), endUnixNs: endUnixNs)
        }
        endUnixNs = window.startUnixNs
        readCount += rowCountMax
        rowCountMax = min(WindowWalk.growth * rowCountMax, WindowWalk.readCountMax)
        return window
    }

    /// The time of the newest row of the resources in `range` that `count` rows are newer than; nil
    /// where there are no more than those.
    private func timeBehind(
        _ count: Int64, of range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> Int64? {
        var statement = SQLStatement()
        let newest = """
            SELECT \(facts.timeColumn) AS time FROM \(facts.table) AS fact
            WHERE \(facts.isIn(range, in: &statement))
            """
        let order = "ORDER BY time DESC"
        let place = "OFFSET \(count) LIMIT 1"
        if let ids = facts.resourceIDs {
            statement.text = """
                SELECT time FROM unnest(\(statement.bind(ids))) AS one (id)
                CROSS JOIN LATERAL (
                    \(newest) AND fact.resource_id = one.id \(order) LIMIT \(count + 1)) AS found
                \(order) \(place)
                """
        } else {
            statement.text = "\(newest) \(order) \(place)"
        }
        let rows = try session.query(statement)
        return rows.rowCount == 0 ? nil : rows.integer(row: 0, column: 0)
    }
}
