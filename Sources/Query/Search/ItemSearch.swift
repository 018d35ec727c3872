// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Finds spans or log records, newest first.
///
/// Keys are found first, and whole rows only of those that the page shows.
struct ItemSearch<Key: ItemKey> {
    let question: SearchQuestion
    /// What has to be true besides; nothing where it is nil.
    var condition: ((inout SQLStatement) -> String)?

    /// One page of keys.
    struct Found {
        var keys: [Key] = []
        var nextCursor: String?
        var isCutShort = false
    }

    func run(on session: inout ReadSession) throws(QueryFailure) -> Found {
        let start = try question.start(
            keyCount: Key.partCount, rangeNsMax: session.rangeNsMax)
        let facts = try MatchedFacts(
            question.filter, of: question.elements.subject, from: &session)
        var rest = start.range
        if let key = start.key {
            rest = TimeRange(
                startUnixNs: rest.startUnixNs, endUnixNs: min(rest.endUnixNs, key[0] + 1))
        }
        let wantedCount = question.limit.count + 1
        guard !question.filter.isOfTraces else {
            return page(
                of: try keys(of: facts, in: rest, after: start.key, wantedCount, from: &session),
                in: start.range)
        }
        var walk = WindowWalk(facts, through: rest, wanting: wantedCount)
        var keys: [Key] = []
        while keys.count < wantedCount, let window = try walk.next(from: &session) {
            keys += try self.keys(
                of: facts, in: window, after: start.key, wantedCount - keys.count, from: &session)
        }
        var found = page(of: keys, in: start.range)
        if found.nextCursor == nil, !walk.isOver {
            found.isCutShort = true
            found.nextCursor = question.cursor(
                after: Key.end(ofTime: walk.endUnixNs), in: start.range)
        }
        return found
    }

    private func page(of keys: [Key], in range: TimeRange) -> Found {
        guard keys.count > question.limit.count else { return Found(keys: keys) }
        let shown = Array(keys.prefix(question.limit.count))
        return Found(
            keys: shown, nextCursor: question.cursor(after: shown[shown.count - 1].parts, in: range)
        )
    }

    private func keys(
        of facts: MatchedFacts, in window: TimeRange, after key: [Int64]?, _ countMax: Int,
        from session: inout ReadSession
    ) throws(QueryFailure) -> [Key] {
        var statement = facts.statement
        var conditions = [facts.condition, facts.isIn(window, in: &statement)]
        if let condition { conditions.append(condition(&statement)) }
        if let key, key[0] == window.endUnixNs - 1 {
            conditions.append("NOT (\(Key.isPassed(key, in: &statement)))")
        }
        statement.text = """
            SELECT \(Key.distinct) \(Key.columns) FROM \(facts.source)
            WHERE \(conditions.joined(separator: " AND "))
            ORDER BY \(Key.order) LIMIT \(countMax)
            """
        let rows = try session.query(statement)
        var keys: [Key] = []
        for row in 0..<rows.rowCount { keys.append(Key(rows, row: row)) }
        return keys
    }

    /// What the page has to say beside its elements.
    func warnings(_ found: Found) -> [String] {
        [question.limit.warning, found.isCutShort ? Page.tiredWarning : nil].compactMap(\.self)
    }
}
