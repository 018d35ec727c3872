// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Finds traces, newest first: those of which a span in the range passes the filter, by the start
/// of the first span that does.
///
/// What is said of a trace counts all its spans, from a day before the range to a day after it.
package struct TraceSearch: Sendable {
    private let question: SearchQuestion

    package init(_ question: SearchQuestion) { self.question = question }

    /// One page of traces.
    package struct Found: Sendable {
        package fileprivate(set) var traces: [TraceSummary] = []
        /// Nil on the last page.
        package fileprivate(set) var nextCursor: String?
        package fileprivate(set) var warnings: [String] = []
    }

    /// Writes the page as one object. Errors: `invalidParameter`, `cursorMismatch`, `rangeTooWide`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let found = try run(on: &session)
        Page.write(
            "traces", nextCursor: found.nextCursor, warnings: found.warnings, to: &writer
        ) { writer in
            for trace in found.traces { trace.write(to: &writer) }
        }
    }

    /// Errors: `invalidParameter`, `cursorMismatch`, `rangeTooWide`.
    package func run(on session: inout ReadSession) throws(QueryFailure) -> Found {
        let (range, key) = try question.start(keyCount: 3, rangeNsMax: session.rangeNsMax)
        let facts = try MatchedFacts(question.filter, of: .spans, from: &session)
        let rest = TimeRange(
            startUnixNs: range.startUnixNs,
            endUnixNs: key.map { min(range.endUnixNs, $0[0] + 1) } ?? range.endUnixNs)
        var found = Found()
        found.warnings = [question.limit.warning].compactMap(\.self)
        let wantedCount = question.limit.count + 1
        var walk = WindowWalk(facts, through: rest, wanting: wantedCount)
        let isDirect = question.filter.isOfTraces
        if isDirect {
            found.traces = try traces(
                of: facts, in: rest, of: range, after: key, wantedCount, from: &session)
        } else {
            while found.traces.count < wantedCount, let window = try walk.next(from: &session) {
                found.traces += try traces(
                    of: facts, in: window, of: range, after: key,
                    wantedCount - found.traces.count, from: &session)
            }
        }
        if found.traces.count > question.limit.count {
            found.traces.removeLast(found.traces.count - question.limit.count)
            found.nextCursor = found.traces.last.map { question.cursor(after: $0.key, in: range) }
        } else if !isDirect, !walk.isOver {
            found.warnings.append(Page.tiredWarning)
            found.nextCursor = question.cursor(after: [walk.endUnixNs, -1, -1], in: range)
        }
        return found
    }

    private static let marginNs: Int64 = 86_400_000_000_000

    /// The traces whose first span that passes is in `window`.
    private func traces(
        of facts: MatchedFacts, in window: TimeRange, of range: TimeRange, after key: [Int64]?,
        _ countMax: Int, from session: inout ReadSession
    ) throws(QueryFailure) -> [TraceSummary] {
        var statement = facts.statement
        let before = TimeRange(startUnixNs: range.startUnixNs, endUnixNs: window.startUnixNs)
        var isShown = ["true"]
        if let key, key[0] == window.endUnixNs - 1 {
            let trace = statement.bind(TraceBits(high: key[1], low: key[2]).text)
            isShown.append(
                "NOT (first.start_time = \(statement.bind(key[0]))"
                    + " AND first.trace_id <= \(trace)::uuid)")
        }
        let isInWindow = facts.isIn(window, in: &statement)
        let isBefore = facts.isIn(before, in: &statement)
        let summary = summarySource(range, in: &statement)
        let conditions = wholeConditions(in: &statement)
        let shown = isShown.joined(separator: " AND ")
        // Where nothing is asked of whole traces, only those that are shown are added up.
        let page = conditions.isEmpty ? "ORDER BY start_time DESC, trace_id LIMIT \(countMax)" : ""
        statement.text = """
            WITH found AS MATERIALIZED (
                SELECT fact.trace_id, min(fact.start_time_unix_nano) AS start_time
                FROM \(facts.source)
                WHERE \(facts.condition) AND \(isInWindow) GROUP BY fact.trace_id
            ), first AS MATERIALIZED (
                SELECT * FROM found AS first WHERE \(shown) AND NOT EXISTS (
                    SELECT FROM \(facts.source) WHERE fact.trace_id = first.trace_id
                        AND \(facts.condition) AND \(isBefore))
                \(page)
            )
            SELECT first.trace_id, first.start_time, trace.start_time, trace.end_time,
                trace.span_count, trace.error_count, trace.services::text, root.span_id,
                root.name, root.service_name
            FROM first \(summary)
            WHERE \(conditions.isEmpty ? "true" : conditions.joined(separator: " AND "))
            ORDER BY first.start_time DESC, first.trace_id LIMIT \(countMax)
            """
        let rows = try session.query(statement)
        var traces: [TraceSummary] = []
        for row in 0..<rows.rowCount { traces.append(TraceSummary(rows, row: row)) }
        return traces
    }

    /// What is joined to `first`: all spans of the trace, added up, and its first root span.
    private func summarySource(_ range: TimeRange, in statement: inout SQLStatement) -> String {
        let (start, startIsOver) = range.startUnixNs.subtractingReportingOverflow(
            TraceSearch.marginNs)
        let (end, endIsOver) = range.endUnixNs.addingReportingOverflow(TraceSearch.marginNs)
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

    private func wholeConditions(in statement: inout SQLStatement) -> [String] {
        let conditions = question.traceConditions
        let duration = "trace.end_time - trace.start_time"
        var parts: [String] = []
        if let least = conditions.durationNsMin {
            parts.append("\(duration) >= \(statement.bind(least))")
        }
        if let most = conditions.durationNsMax {
            parts.append("\(duration) <= \(statement.bind(most))")
        }
        if conditions.hasError { parts.append("trace.error_count > 0") }
        return parts
    }
}
