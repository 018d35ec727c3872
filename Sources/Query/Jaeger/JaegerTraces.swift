// SPDX-License-Identifier: Apache-2.0

/// Traces in Jaeger's older JSON, which Grafana and Jaeger UI read.
enum JaegerTraces {
    /// Stands for a service name where a resource has none, as Jaeger's own translation of OTLP
    /// has it.
    static let noServiceName = "OTLPResourceNoServiceName"

    /// Every trace of `traces` as an element of a list.
    static func write(
        _ traces: borrowing StoredTraces, _ origins: Origins, warnings: [String] = [],
        to writer: inout JSONWriter
    ) {
        for trace in traces.traces {
            writer.object { writer in
                let processes = Processes(of: trace, in: traces)
                writer.member("traceID", trace.id.text)
                writer.key("spans")
                writer.list { writer in
                    for row in trace.rows {
                        let isRivalled = trace.rivalled.contains(row)
                        let span = traces[row]
                        write(
                            span, of: trace.id, origins, process: processes.name(of: span),
                            isRivalled: isRivalled, to: &writer)
                    }
                }
                writer.key("processes")
                processes.write(origins, to: &writer)
                writer.key("warnings")
                writeWarnings(warnings, to: &writer)
            }
        }
    }

    // MARK: A span

    private static func write(
        _ span: StoredSpan, of traceID: TraceID, _ origins: Origins, process: String,
        isRivalled: Bool, to writer: inout JSONWriter
    ) {
        let durationNs = span.endUnixNs.subtractingReportingOverflow(span.startUnixNs).partialValue
        writer.object { writer in
            writer.member("traceID", traceID.text)
            writer.member("spanID", span.spanID)
            writer.member("operationName", span.name)
            writer.key("references")
            writer.list { writeReferences(of: span, of: traceID, to: &$0) }
            writer.member("startTime", span.startUnixNs / 1_000)
            writer.member("duration", max(0, durationNs) / 1_000)
            writer.key("tags")
            writer.list { writeTags(of: span, origins, to: &$0) }
            writer.key("logs")
            writer.list { writer in
                for event in span.events { write(event, to: &writer) }
            }
            writer.member("processID", process)
            writer.key("warnings")
            var warnings: [String] = []
            if durationNs < 0 { warnings.append("the span ends before it begins") }
            if isRivalled {
                warnings.append("another span of this trace has the same id, and is not shown")
            }
            writeWarnings(warnings, to: &writer)
        }
    }

    /// The parent is the first: clients take that for it.
    private static func writeReferences(
        of span: StoredSpan, of traceID: TraceID, to writer: inout JSONWriter
    ) {
        if let parent = span.parentSpanID {
            writeReference("CHILD_OF", traceID.text, parent, to: &writer)
        }
        for link in span.links {
            writeReference("FOLLOWS_FROM", link.traceID, link.spanID, to: &writer)
        }
    }

    private static func writeReference(
        _ kind: String, _ traceID: String, _ spanID: String, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("refType", kind)
            writer.member("traceID", traceID)
            writer.member("spanID", spanID)
        }
    }

    /// Attributes, and what OTLP has fields for and Jaeger has not.
    private static func writeTags(
        of span: StoredSpan, _ origins: Origins, to writer: inout JSONWriter
    ) {
        JaegerTag.write(span.attributes, to: &writer)
        if let kind = JaegerSpanKind(rawValue: span.kind) {
            JaegerTag.write("span.kind", kind.text, to: &writer)
        }
        switch span.statusCode {
        case 1: JaegerTag.write("otel.status_code", "OK", to: &writer)
        case 2:
            JaegerTag.write("otel.status_code", "ERROR", to: &writer)
            JaegerTag.write("error", true, to: &writer)
        default: break
        }
        if !span.statusMessage.isEmpty {
            JaegerTag.write("otel.status_description", span.statusMessage, to: &writer)
        }
        if let scope = span.scopeID.flatMap({ origins.scopes[$0] }) {
            if !scope.name.isEmpty { JaegerTag.write("otel.scope.name", scope.name, to: &writer) }
            if let version = scope.version, !version.isEmpty {
                JaegerTag.write("otel.scope.version", version, to: &writer)
            }
        }
        if !span.traceState.isEmpty {
            JaegerTag.write("w3c.tracestate", span.traceState, to: &writer)
        }
    }

    /// The name of an event is its field `event`, unless an attribute is called so.
    private static func write(_ event: SpanEvent, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("timestamp", Int64(event.timeUnixNs / 1_000))
            writer.key("fields")
            writer.list { writer in
                if !event.name.isEmpty, !event.attributes.contains(where: { $0.key == "event" }) {
                    JaegerTag.write("event", event.name, to: &writer)
                }
                JaegerTag.write(event.attributes, to: &writer)
            }
        }
    }

    /// Null where there are none, as Jaeger does.
    private static func writeWarnings(_ warnings: [String], to writer: inout JSONWriter) {
        guard !warnings.isEmpty else { return writer.null() }
        writer.list { writer in for warning in warnings { writer.text(warning) } }
    }
}

/// The resources of one trace: `p1`, `p2`, ... in the order in which its spans have them.
private struct Processes {
    private var numbers: [Int64: Int] = [:]
    private var resourceIDs: [Int64] = []

    init(of trace: StoredTraces.Trace, in traces: borrowing StoredTraces) {
        for row in trace.rows {
            let id = traces.resourceID(row: row)
            guard numbers[id] == nil else { continue }
            resourceIDs.append(id)
            numbers[id] = resourceIDs.count
        }
    }

    func name(of span: StoredSpan) -> String { "p\(numbers[span.resourceID] ?? 0)" }

    func write(_ origins: Origins, to writer: inout JSONWriter) {
        writer.object { writer in
            for (index, id) in resourceIDs.enumerated() {
                let resource = origins.resources[id]
                let serviceName = resource?.serviceName
                writer.key("p\(index + 1)")
                writer.object { writer in
                    writer.member("serviceName", serviceName ?? JaegerTraces.noServiceName)
                    writer.key("tags")
                    writer.list { writer in
                        for attribute in resource?.attributes ?? []
                        where serviceName == nil || attribute.key != "service.name" {
                            JaegerTag.write(attribute, to: &writer)
                        }
                    }
                }
            }
        }
    }
}
