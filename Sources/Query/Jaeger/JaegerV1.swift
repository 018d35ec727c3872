// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The answers of Jaeger's older JSON API, each as one envelope.
package enum JaegerV1 {
    /// Names of services; never null.
    package static func writeServices(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let names = try JaegerCatalogue.services(from: &session)
        writeNames(names, to: &writer)
    }

    /// Names of the operations of `service`.
    package static func writeOperationNames(
        of service: String, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let operations = try JaegerCatalogue.operations(of: service, kind: nil, from: &session)
        var names: [String] = []
        // They are sorted; one name may have several kinds.
        for operation in operations where operation.name != names.last {
            names.append(operation.name)
        }
        writeNames(names, to: &writer)
    }

    /// Names and kinds of the operations of `service`; those of `kind` where it is given.
    package static func writeOperations(
        of service: String, kind: JaegerSpanKind?, from session: inout ReadSession,
        to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let operations = try JaegerCatalogue.operations(of: service, kind: kind, from: &session)
        JaegerEnvelope.write(total: operations.count, to: &writer) { writer in
            writer.list { writer in
                for operation in operations {
                    writer.object { writer in
                        writer.member("name", operation.name)
                        writer.member("spanKind", operation.kind?.text ?? "")
                    }
                }
            }
        }
    }

    private static func writeNames(_ names: [String], to writer: inout JSONWriter) {
        JaegerEnvelope.write(total: names.count, to: &writer) { writer in
            writer.list { writer in for name in names { writer.text(name) } }
        }
    }

    /// Calls between services in `range`; those of `service` where it is given.
    package static func writeDependencies(
        in range: ClosedRange<Int64>, of service: String?, from session: inout ReadSession,
        to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let dependencies = try JaegerDependencies(in: range, of: service, from: &session)
        JaegerEnvelope.write(total: dependencies.count, to: &writer) { dependencies.write(to: &$0) }
    }

    /// The shortest step between two points of metrics, in milliseconds.
    package static func writeShortestStep(to writer: inout JSONWriter) {
        JaegerEnvelope.write(total: 0, to: &writer) { writer in
            writer.number(JaegerMetrics.minuteNs / 1_000_000)
        }
    }

    // MARK: Traces

    /// One trace. `range` is where its spans begin, as far as the client knows. Errors: `notFound`,
    /// for an answer without a trace makes clients crash.
    package static func writeTrace(
        _ id: TraceID, in range: ClosedRange<Int64>?, from session: inout ReadSession,
        to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let traces = try StoredTraces([id], in: range, from: &session)
        guard !traces.traces.isEmpty else { throw JaegerFailure.notFound }
        let origins = try Origins(of: traces, from: &session)
        write(traces, origins, to: &writer)
    }

    /// Several traces by their ids. Those that do not exist are named in `errors`.
    package static func writeTraces(
        _ ids: [TraceID], from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let traces = try StoredTraces(ids, in: nil, from: &session)
        let origins = try Origins(of: traces, from: &session)
        let found = Set(traces.traces.map(\.id.text))
        let failures = ids.filter { !found.contains($0.text) }.map {
            JaegerEnvelope.Failure(code: 404, "trace not found: \($0.text)")
        }
        write(traces, origins, failures: failures, to: &writer)
    }

    /// The traces that `search` finds, newest first.
    package static func writeTraces(
        _ search: JaegerSearch, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let (search, limits) = search.bounded(rangeNsMax: session.rangeNsMax)
        let found = try search.find(from: &session)
        let traces = try StoredTraces(found.ids, in: search.reach, from: &session)
        let origins = try Origins(of: traces, from: &session)
        write(traces, origins, warnings: limits + found.warnings, to: &writer)
    }

    private static func write(
        _ traces: borrowing StoredTraces, _ origins: Origins,
        failures: [JaegerEnvelope.Failure] = [], warnings: [String] = [],
        to writer: inout JSONWriter
    ) {
        let cut = traces.isCut ? [JaegerFailure.cutWarning] : []
        JaegerEnvelope.write(
            total: traces.traces.count, failures: failures, warnings: warnings + cut, to: &writer
        ) { writer in
            writer.list { JaegerTraces.write(traces, origins, warnings: cut, to: &$0) }
        }
    }
}

/// What both of Jaeger's APIs say when there is nothing to show, or too much.
enum JaegerFailure {
    static let notFound = QueryFailure(.notFound, "trace not found")

    static let cutWarning =
        "there are more than \(StoredTraces.spanCountMax) spans, of which the first are shown"
}
