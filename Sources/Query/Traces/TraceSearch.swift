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
        let step = TraceStep(facts, of: range, after: key, conditions: question.traceConditions)
        let wantedCount = question.limit.count + 1
        var found = Found()
        found.warnings = [question.limit.warning].compactMap(\.self)
        if question.filter.isOfTraces {
            found.traces = try step.traces(in: rest, wantedCount, from: &session)
            cut(&found, in: range)
            return found
        }
        var walk = WindowWalk(facts, through: rest, wanting: wantedCount)
        found.traces = try step.traces(along: &walk, wantedCount, from: &session)
        cut(&found, in: range)
        if found.nextCursor == nil, !walk.isOver {
            found.warnings.append(Page.tiredWarning)
            found.nextCursor = question.cursor(after: [walk.endUnixNs, -1, -1], in: range)
        }
        return found
    }

    /// Leaves what the page shows.
    private func cut(_ found: inout Found, in range: TimeRange) {
        guard found.traces.count > question.limit.count else { return }
        found.traces.removeLast(found.traces.count - question.limit.count)
        found.nextCursor = found.traces.last.map { question.cursor(after: $0.key, in: range) }
    }
}
