// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The spans of one trace as a list, by their start.
package struct TraceSpans: Sendable {
    private let id: TraceID

    package init(_ id: TraceID) { self.id = id }

    /// Errors: `notFound`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let spans = try TraceRows(id, from: &session)
        Page.write("spans", nextCursor: nil, warnings: spans.warnings, to: &writer) {
            spans.write(to: &$0)
        }
    }
}
