// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Goes through a range of time from its end to its start in windows, each so wide that it holds
/// few enough rows of the resources in question.
///
/// No index has all rows in the order of time, and it would cost writers dearly; the one by
/// resource and time says how many rows a window has. So the newest rows are found without a look
/// at others. Where they do not pass the filter, windows hold twice as many rows from one to the
/// next: down to the last row that is returned, no more rows are read than twice as many as there
/// are of those resources, and `rowCountMin`.
struct WindowWalk {
    private let facts: MatchedFacts
    private let startUnixNs: Int64
    /// Everything from here on is behind us.
    private(set) var endUnixNs: Int64
    private var widthNs: Int64 = 60_000_000_000
    private var rowCountMax: Int64
    private var readCount: Int64 = 0

    /// Rows of the first window, as a multiple of those that are wanted.
    static let rowsPerResult: Int64 = 4
    static let rowCountMin: Int64 = 500
    /// Rows that one walk may read; then it is for another to go on.
    static let readCountMax: Int64 = 2_000_000
    private static let step: Int64 = 16

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
        while true {
            let window = TimeRange(
                startUnixNs: endUnixNs - min(widthNs, endUnixNs - startUnixNs),
                endUnixNs: endUnixNs)
            let count = try rowCount(of: window, from: &session)
            if count > rowCountMax, window.widthNs > 1 {
                widthNs = max(1, window.widthNs / WindowWalk.step)
                continue
            }
            endUnixNs = window.startUnixNs
            readCount += count
            let isSparse = count < rowCountMax / WindowWalk.step
            let factor = isSparse ? WindowWalk.step : 1
            widthNs = widthNs > Int64.max / factor ? .max : widthNs * factor
            rowCountMax = min(2 * rowCountMax, WindowWalk.readCountMax)
            return window
        }
    }

    /// Rows of the resources in `window`, as far as they are looked at.
    private func rowCount(
        of window: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> Int64 {
        var statement = SQLStatement()
        var conditions = [facts.isIn(window, in: &statement)]
        if let ids = facts.resourceIDs {
            conditions.append("fact.resource_id = ANY (\(statement.bind(ids))::int4[])")
        }
        statement.text = """
            SELECT count(*) FROM (SELECT FROM \(facts.table) AS fact
                WHERE \(conditions.joined(separator: " AND ")) LIMIT \(rowCountMax + 1)) AS found
            """
        return try session.query(statement).integer(row: 0, column: 0) ?? 0
    }
}
