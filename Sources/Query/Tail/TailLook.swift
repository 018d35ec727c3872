// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Rows that a look has found, oldest first.
struct FoundRows {
    /// JSON, and the key by which it stands in the order.
    struct Row {
        let json: [UInt8]
        let key: [Int64]?
    }

    var rows: [Row] = []
    /// Older ones that are not shown, and the key of the newest of them.
    var skippedCount: Int64? = 0
    var skippedKey: [Int64]?

    var isEmpty: Bool { rows.isEmpty && skippedCount == 0 }
}

/// Reads the rows of one question, spans or log records.
protocol RowLook {
    func check(from session: inout ReadSession) throws(QueryFailure)
    func rows(
        of part: StoredBatches.Part, after key: [Int64]?, from session: inout ReadSession
    ) throws(QueryFailure) -> FoundRows
    func history(
        since start: AskedTimeRange, _ limit: TailQuestion.HistoryLimit,
        at snapshot: TransactionSnapshot, from session: inout ReadSession
    ) throws(QueryFailure) -> FoundRows
}

extension TailQuestion {
    var look: any RowLook {
        switch elements {
        case .logs: TailLook<LogKey>(elements: .logs, filter: filter)
        case .spans, .traces: TailLook<SpanKey>(elements: .spans, filter: filter)
        }
    }
}

/// Reads the rows of one question that some transactions have stored.
struct TailLook<Key: ItemKey>: RowLook {
    let elements: SearchQuestion.Elements
    let filter: Filter

    /// Lets the database read the question, of no row. Errors: those of a search.
    func check(from session: inout ReadSession) throws(QueryFailure) {
        let facts = try MatchedFacts(filter, of: elements.subject, from: &session)
        var statement = facts.statement
        let nothing = facts.isIn(TimeRange(startUnixNs: 0, endUnixNs: 0), in: &statement)
        statement.text = """
            SELECT \(Key.columns) FROM \(facts.source) WHERE \(facts.condition) AND \(nothing)
            """
        try session.query(statement)
    }

    /// The newest of the rows of `part` that stand behind `key`.
    func rows(
        of part: StoredBatches.Part, after key: [Int64]?, from session: inout ReadSession
    ) throws(QueryFailure) -> FoundRows {
        let facts = try MatchedFacts(filter, of: elements.subject, from: &session)
        guard facts.resourceIDs?.isEmpty != true else { return FoundRows() }
        var statement = facts.statement
        var conditions = [
            facts.condition, facts.isIn(part.range, in: &statement),
            // There is no parameter of type xid[].
            "fact.xmin = ANY (\(statement.bind(part.xmins))::text[]::xid[])",
        ]
        if let key { conditions.append(Key.isNewer(key, in: &statement)) }
        let shownCountMax = TailLimits.rowCountPerLookMax
        statement.text = """
            SELECT \(Key.columns), count(*) OVER () FROM \(facts.source)
            WHERE \(conditions.joined(separator: " AND "))
            ORDER BY \(Key.order) LIMIT \(shownCountMax + 1)
            """
        let result = try session.query(statement)
        var keys: [Key] = []
        for row in 0..<result.rowCount { keys.append(Key(result, row: row)) }
        guard !keys.isEmpty else { return FoundRows() }
        let totalCount =
            result.integer(row: 0, column: result.columnCount - 1) ?? Int64(keys.count)
        let shown = Array(keys.prefix(shownCountMax))
        var found = try wholeRows(of: shown, from: &session)
        // Those that retention has deleted meanwhile are not shown either.
        found.skippedCount = totalCount - Int64(found.rows.count)
        found.skippedKey = keys.count > shownCountMax ? keys[shownCountMax].parts : nil
        return found
    }

    /// The newest rows since `start` that were there at `snapshot`.
    func history(
        since start: AskedTimeRange, _ limit: TailQuestion.HistoryLimit,
        at snapshot: TransactionSnapshot, from session: inout ReadSession
    ) throws(QueryFailure) -> FoundRows {
        let question = SearchQuestion(
            elements, asked: start, filter: filter,
            limit: try PageLimit(Int64(limit.count)), cursor: nil)
        let search = ItemSearch<Key>(question: question) { statement in
            let text = statement.bind(snapshot.text)
            return """
                fact.xmin NOT IN (SELECT batch.xmin FROM otel_row_batches AS batch
                    WHERE batch.transaction_id >= pg_snapshot_xmin(\(text)::pg_snapshot)
                    AND NOT pg_visible_in_snapshot(batch.transaction_id, \(text)::pg_snapshot))
                """
        }
        let page = try search.run(on: &session)
        var found = try wholeRows(of: page.keys, from: &session)
        let hasAll = page.nextCursor == nil || (!page.isCutShort && !limit.tellsOlder)
        found.skippedCount = hasAll ? 0 : nil
        return found
    }

    /// `keys` are newest first, the rows oldest first.
    private func wholeRows(
        of keys: [Key], from session: inout ReadSession
    ) throws(QueryFailure) -> FoundRows {
        guard !keys.isEmpty else { return FoundRows() }
        let result = try session.query(Key.rows(of: keys))
        // A row that is missing leaves nobody knows which one: then none has a place.
        let isWhole = result.rowCount == keys.count
        var found = FoundRows()
        for row in (0..<result.rowCount).reversed() {
            var writer = JSONWriter()
            Key.write(result, row: row, to: &writer)
            found.rows.append(.init(json: writer.bytes, key: isWhole ? keys[row].parts : nil))
        }
        return found
    }
}
