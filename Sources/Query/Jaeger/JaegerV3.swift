// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The answers of Jaeger's api_v3.
package enum JaegerV3 {
    package static func writeServices(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let names = try JaegerCatalogue.services(from: &session)
        writer.object { writer in
            writer.key("services")
            writer.list { writer in for name in names { writer.text(name) } }
        }
    }

    /// Names and kinds of the operations of `service`; those of `kind` where it is given. Spans
    /// without a kind count as internal ones.
    package static func writeOperations(
        of service: String, kind: JaegerSpanKind?, from session: inout ReadSession,
        to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let operations = try JaegerCatalogue.operations(of: service, kind: kind, from: &session)
        writer.object { writer in
            writer.key("operations")
            writer.list { writer in
                for operation in operations {
                    writer.object { writer in
                        writer.member("name", operation.name)
                        let kind = operation.kind ?? .internalKind
                        writer.member("spanKind", kind.text)
                    }
                }
            }
        }
    }

    /// Calls between services in `range`.
    package static func writeDependencies(
        in range: ClosedRange<Int64>, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let dependencies = try JaegerDependencies(in: range, of: nil, from: &session)
        writer.object { writer in
            writer.key("dependencies")
            dependencies.write(to: &writer)
        }
    }

    // MARK: Traces

    /// What lists show of the traces that `search` finds, newest first.
    package static func writeSummaries(
        _ search: JaegerSearch, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let (search, limits) = search.bounded(rangeNsMax: session.rangeNsMax)
        let found = try search.find(from: &session)
        let summaries = try JaegerSummaries(found.ids, in: search.reach, from: &session)
        writer.object { writer in
            writer.key("summaries")
            summaries.write(to: &writer)
            write(warnings: limits + found.warnings, to: &writer)
        }
    }

    /// The spans of the traces that `search` finds. Errors: `notFound` where it finds none, as
    /// Jaeger has it.
    package static func writeTraces(
        _ search: JaegerSearch, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let (search, limits) = search.bounded(rangeNsMax: session.rangeNsMax)
        let found = try search.find(from: &session)
        let traces = try StoredTraces(found.ids, in: search.reach, from: &session)
        try write(traces, warnings: limits + found.warnings, from: &session, to: &writer)
    }

    /// One trace. `range` is where its spans begin, as far as the client knows. Errors: `notFound`.
    package static func writeTrace(
        _ id: TraceID, in range: ClosedRange<Int64>?, from session: inout ReadSession,
        to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let traces = try StoredTraces([id], in: range, from: &session)
        try write(traces, from: &session, to: &writer)
    }

    private static func write(
        _ traces: borrowing StoredTraces, warnings: [String] = [],
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        guard !traces.traces.isEmpty else {
            throw QueryFailure(.notFound, "No traces found")
        }
        let origins = try Origins(of: traces, from: &session)
        writer.object { writer in
            writer.key("result")
            writer.object { writer in
                writer.key("resourceSpans")
                OTLPSpans.write(traces, origins, to: &writer)
            }
            let cut = traces.isCut ? [JaegerFailure.cutWarning] : []
            write(warnings: warnings + cut, to: &writer)
        }
    }

    /// A member that Jaeger has not, and that is there only where there are some.
    private static func write(warnings: [String], to writer: inout JSONWriter) {
        guard !warnings.isEmpty else { return }
        writer.member("warnings", warnings)
    }
}
