// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The rows of a fact table of which a filter is true, as SQL.
struct MatchedFacts {
    let subject: FilterSubject
    /// Has the parameters of `condition`; those of a statement come behind them.
    let statement: SQLStatement
    /// Goes after WHERE, in terms of `source`.
    let condition: String
    private let compiler: FilterCompiler
    /// The resources that the rows may have; nil where the filter says nothing of them, or leaves
    /// too many to name.
    let resourceIDs: [Int64]?

    /// More than these are not looked up one by one.
    static let resourceCountMax = 1_000

    var table: String { subject == .logs ? "otel_logs_fact" : "otel_spans_fact" }
    var timeColumn: String { subject == .logs ? "time_unix_nano" : "start_time_unix_nano" }

    /// Goes after FROM; the row is called `fact`.
    var source: String { compiler.source }

    /// The same, of one partition only.
    func source(of partition: String) -> String { compiler.source(of: partition) }

    /// Looks up which resources the filter means: facts have an index by resource and time.
    /// Errors: `invalidFilter`, `migrating`; those of the database.
    init(
        _ filter: Filter, of subject: FilterSubject, from session: inout ReadSession
    ) throws(QueryFailure) {
        let compiler = try session.compiler(of: filter, subject)
        let parts = filter.conjuncts
        let ids = try MatchedFacts.resourceIDs(
            parts.filter(\.isOfResource), compiler, from: &session)
        var statement = SQLStatement()
        let rest = Filter.all(ids == nil ? parts : parts.filter { !$0.isOfResource })
        var conditions = [compiler.condition(rest, in: &statement)]
        if let ids { conditions.append("fact.resource_id = ANY (\(statement.bind(ids))::int4[])") }
        self.subject = subject
        self.statement = statement
        condition = conditions.joined(separator: " AND ")
        self.compiler = compiler
        resourceIDs = ids
    }

    private static func resourceIDs(
        _ parts: [Filter], _ compiler: FilterCompiler, from session: inout ReadSession
    ) throws(QueryFailure) -> [Int64]? {
        guard !parts.isEmpty else { return nil }
        var statement = SQLStatement()
        statement.text = """
            SELECT fact.resource_id FROM otel_resources_dim AS fact
            JOIN otel_resources_dim AS resource USING (resource_id)
            WHERE \(compiler.condition(.all(parts), in: &statement)) LIMIT \(resourceCountMax + 1)
            """
        let rows = try session.query(statement)
        guard rows.rowCount <= resourceCountMax else { return nil }
        var ids: [Int64] = []
        for row in 0..<rows.rowCount { ids.append(rows.integer(row: row, column: 0) ?? 0) }
        return ids
    }

    /// What is true of the rows of `range`.
    func isIn(_ range: TimeRange, in statement: inout SQLStatement) -> String {
        "fact.\(timeColumn) >= \(statement.bind(range.startUnixNs))"
            + " AND fact.\(timeColumn) < \(statement.bind(range.endUnixNs))"
    }
}
