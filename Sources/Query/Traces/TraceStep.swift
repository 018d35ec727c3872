// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The traces of one window of a search, newest first.
///
/// Traces are found first, by their first span that passes, and added up once there are enough of
/// them; only where something is asked of whole traces, each that is found is added up at once.
struct TraceStep {
    private let facts: MatchedFacts
    private let range: TimeRange
    private let key: [Int64]?
    private let conditions: TraceConditions

    /// What is said of a trace counts its spans from so long before the range to so long after it.
    private static let marginNs: Int64 = 86_400_000_000_000

    /// `range` is that of the whole search; `key` is the last trace of the page before.
    init(
        _ facts: MatchedFacts, of range: TimeRange, after key: [Int64]?,
        conditions: TraceConditions
    ) {
        self.facts = facts
        self.range = range
        self.key = key
        self.conditions = conditions
    }

    /// Those of the windows of `walk`, until there are `countMax`.
    func traces(
        along walk: inout WindowWalk, _ countMax: Int, from session: inout ReadSession
    ) throws(QueryFailure) -> [TraceSummary] {
        guard conditions.isEmpty else {
            var traces: [TraceSummary] = []
            while traces.count < countMax, let window = try walk.next(from: &session) {
                traces += try self.traces(in: window, countMax - traces.count, from: &session)
            }
            return traces
        }
        var (ids, starts): ([String], [Int64]) = ([], [])
        while ids.count < countMax, let window = try walk.next(from: &session) {
            var statement = facts.statement
            statement.text = """
                WITH \(first(in: window, countMax - ids.count, &statement))
                SELECT trace_id, start_time FROM first ORDER BY start_time DESC, trace_id
                """
            let rows = try session.query(statement)
            for row in 0..<rows.rowCount {
                ids.append(TraceBits(rows.bytes(row: row, column: 0)).text)
                starts.append(rows.integer(row: row, column: 1) ?? 0)
            }
        }
        return try addedUp(ids, starts, from: &session)
    }

    /// Those of which the first span that passes is in `window`.
    func traces(
        in window: TimeRange, _ countMax: Int, from session: inout ReadSession
    ) throws(QueryFailure) -> [TraceSummary] {
        var statement = facts.statement
        let first = first(in: window, conditions.isEmpty ? countMax : nil, &statement)
        return try summaries(of: first, countMax, &statement, from: &session)
    }

    private func addedUp(
        _ ids: [String], _ starts: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) -> [TraceSummary] {
        guard !ids.isEmpty else { return [] }
        var statement = SQLStatement()
        let first = """
            first AS MATERIALIZED (
                SELECT id::uuid AS trace_id, start_time
                FROM unnest(\(statement.bind(ids)), \(statement.bind(starts)))
                    AS one (id, start_time))
            """
        return try summaries(of: first, ids.count, &statement, from: &session)
    }

    // MARK: SQL

    /// The definition of `first`: traces and when their first span that passes began; at most
    /// `countMax`, if it says so.
    private func first(
        in window: TimeRange, _ countMax: Int?, _ statement: inout SQLStatement
    ) -> String {
        let before = TimeRange(startUnixNs: range.startUnixNs, endUnixNs: window.startUnixNs)
        var isShown = ["true"]
        if let key, key[0] == window.endUnixNs - 1 {
            let trace = statement.bind(TraceBits(high: key[1], low: key[2]).text)
            isShown.append(
                "NOT (first.start_time = \(statement.bind(key[0]))"
                    + " AND first.trace_id <= \(trace)::uuid)")
        }
        let page = countMax.map { "ORDER BY start_time DESC, trace_id LIMIT \($0)" } ?? ""
        return """
            found AS MATERIALIZED (
                SELECT fact.trace_id, min(fact.start_time_unix_nano) AS start_time
                FROM \(facts.source)
                WHERE \(facts.condition) AND \(facts.isIn(window, in: &statement))
                GROUP BY fact.trace_id
            ), first AS MATERIALIZED (
                SELECT * FROM found AS first
                WHERE \(isShown.joined(separator: " AND ")) AND NOT EXISTS (
                    SELECT FROM \(facts.source) WHERE fact.trace_id = first.trace_id
                        AND \(facts.condition) AND \(facts.isIn(before, in: &statement)))
                \(page)
            )
            """
    }

    private func summaries(
        of first: String, _ countMax: Int, _ statement: inout SQLStatement,
        from session: inout ReadSession
    ) throws(QueryFailure) -> [TraceSummary] {
        statement.text = """
            WITH \(first)
            SELECT first.trace_id, first.start_time, trace.start_time, trace.end_time,
                trace.span_count, trace.error_count, trace.services::text, root.span_id,
                root.name, root.service_name
            FROM first \(summarySource(in: &statement))
            WHERE \(wholeConditions(in: &statement))
            ORDER BY first.start_time DESC, first.trace_id LIMIT \(countMax)
            """
        let rows = try session.query(statement)
        var traces: [TraceSummary] = []
        for row in 0..<rows.rowCount { traces.append(TraceSummary(rows, row: row)) }
        return traces
    }

    /// What is joined to `first`: all spans of the trace, added up, and its first root span.
    private func summarySource(in statement: inout SQLStatement) -> String {
        let (start, startIsOver) = range.startUnixNs.subtractingReportingOverflow(
            TraceStep.marginNs)
        let (end, endIsOver) = range.endUnixNs.addingReportingOverflow(TraceStep.marginNs)
        let isOfTrace = """
            span.trace_id = first.trace_id
            AND span.start_time_unix_nano >= \(statement.bind(startIsOver ? .min : start))
            AND span.start_time_unix_nano < \(statement.bind(endIsOver ? .max : end))
            """
        return """
            CROSS JOIN LATERAL (
                SELECT min(start_time) AS start_time, max(end_time) AS end_time,
                    sum(span_count)::bigint AS span_count, sum(error_count)::bigint AS error_count,
                    jsonb_agg(jsonb_build_object('service_name', service_name,
                        'span_count', span_count, 'error_count', error_count)
                        ORDER BY service_name) AS services
                FROM (
                    SELECT resource.service_name, count(*) AS span_count,
                        count(*) FILTER (WHERE span.status_code_id = 2) AS error_count,
                        min(span.start_time_unix_nano) AS start_time,
                        max(span.end_time_unix_nano) AS end_time
                    FROM otel_spans_fact AS span
                    LEFT JOIN otel_resources_dim AS resource USING (resource_id)
                    WHERE \(isOfTrace) GROUP BY resource.service_name
                ) AS service
            ) AS trace
            LEFT JOIN LATERAL (
                SELECT span.span_id, COALESCE(operation.name, span.name, '') AS name,
                    resource.service_name
                FROM otel_spans_fact AS span
                LEFT JOIN otel_operations_dim AS operation USING (operation_id)
                LEFT JOIN otel_resources_dim AS resource USING (resource_id)
                WHERE \(isOfTrace) AND span.parent_span_id IS NULL
                ORDER BY span.start_time_unix_nano, span.span_id LIMIT 1
            ) AS root ON true
            """
    }

    private func wholeConditions(in statement: inout SQLStatement) -> String {
        let duration = "trace.end_time - trace.start_time"
        var parts = ["true"]
        if let least = conditions.durationNsMin {
            parts.append("\(duration) >= \(statement.bind(least))")
        }
        if let most = conditions.durationNsMax {
            parts.append("\(duration) <= \(statement.bind(most))")
        }
        if conditions.hasError { parts.append("trace.error_count > 0") }
        return parts.joined(separator: " AND ")
    }
}
