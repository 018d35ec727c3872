// SPDX-License-Identifier: Apache-2.0

/// Spans in the JSON mapping of OTLP: ids in hexadecimal digits, 64 bits as strings of digits,
/// enumerations as numbers (opentelemetry-proto, "JSON Protobuf Encoding"). Fields with the default
/// value are left out.
enum OTLPSpans {
    /// The list `resourceSpans`: spans of one resource and scope together, trace by trace.
    static func write(
        _ traces: borrowing StoredTraces, _ origins: SpanOrigins, to writer: inout JSONWriter
    ) {
        writer.list { writer in
            for trace in traces.traces {
                let groups = Groups(of: trace, in: traces)
                for (resourceID, scopes) in groups.resources {
                    write(resourceID, scopes, of: trace, traces, origins, to: &writer)
                }
            }
        }
    }

    private static func write(
        _ resourceID: Int64, _ scopes: [Groups.Scope], of trace: StoredTraces.Trace,
        _ traces: borrowing StoredTraces, _ origins: SpanOrigins, to writer: inout JSONWriter
    ) {
        let resource = origins.resources[resourceID]
        writer.object { writer in
            writer.key("resource")
            writer.object { writer in
                writer.key("attributes")
                writer.otlp(resource?.attributes ?? [])
                writer.count("droppedAttributesCount", resource?.droppedAttributeCount ?? 0)
            }
            writer.key("scopeSpans")
            writer.list { writer in
                for group in scopes {
                    writer.object { writer in
                        let scope = group.id.flatMap { origins.scopes[$0] }
                        write(scope, to: &writer)
                        writer.key("spans")
                        writer.list { writer in
                            for row in group.rows {
                                write(traces[row], of: trace.id, to: &writer)
                            }
                        }
                    }
                }
            }
            writer.textUnlessEmpty("schemaUrl", resource?.schemaURL ?? "")
        }
    }

    private static func write(_ scope: SpanOrigins.Scope?, to writer: inout JSONWriter) {
        writer.key("scope")
        writer.object { writer in
            guard let scope else { return }
            writer.textUnlessEmpty("name", scope.name)
            writer.textUnlessEmpty("version", scope.version)
            if !scope.attributes.isEmpty {
                writer.key("attributes")
                writer.otlp(scope.attributes)
            }
            writer.count("droppedAttributesCount", scope.droppedAttributeCount)
        }
        if let scope { writer.textUnlessEmpty("schemaUrl", scope.schemaURL) }
    }

    // MARK: A span

    private static func write(
        _ span: StoredSpan, of traceID: TraceID, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("traceId", traceID.text)
            writer.member("spanId", span.spanID)
            writer.textUnlessEmpty("traceState", span.traceState)
            if let parent = span.parentSpanID { writer.member("parentSpanId", parent) }
            writer.count("flags", span.flags)
            writer.member("name", span.name)
            writer.member("kind", span.kind)
            writer.member("startTimeUnixNano", digits: span.startUnixNs)
            writer.member("endTimeUnixNano", digits: span.endUnixNs)
            writer.key("attributes")
            writer.otlp(span.attributes)
            writer.count("droppedAttributesCount", span.droppedAttributeCount)
            writer.key("events")
            writer.list { writer in for event in span.events { write(event, to: &writer) } }
            writer.count("droppedEventsCount", span.droppedEventCount)
            writer.key("links")
            writer.list { writer in for link in span.links { write(link, to: &writer) } }
            writer.count("droppedLinksCount", span.droppedLinkCount)
            writer.key("status")
            writer.object { writer in
                writer.textUnlessEmpty("message", span.statusMessage)
                writer.count("code", span.statusCode ?? 0)
            }
        }
    }

    private static func write(_ event: SpanEvent, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("timeUnixNano")
            writer.digits(event.timeUnixNs)
            writer.member("name", event.name)
            writer.key("attributes")
            writer.otlp(event.attributes)
            writer.count("droppedAttributesCount", Int64(clamping: event.droppedAttributeCount))
        }
    }

    private static func write(_ link: SpanLink, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("traceId", link.traceID)
            writer.member("spanId", link.spanID)
            writer.textUnlessEmpty("traceState", link.traceState)
            writer.key("attributes")
            writer.otlp(link.attributes)
            writer.count("droppedAttributesCount", Int64(clamping: link.droppedAttributeCount))
            writer.count("flags", Int64(clamping: link.flags))
        }
    }
}

extension JSONWriter {
    fileprivate mutating func textUnlessEmpty(_ name: String, _ text: String) {
        if !text.isEmpty { member(name, text) }
    }

    /// Left out where it is 0.
    fileprivate mutating func count(_ name: String, _ count: Int64) {
        if count != 0 { member(name, count) }
    }
}

/// The spans of one trace by resource and scope, both in the order in which its spans have them.
private struct Groups {
    struct Scope {
        let id: Int64?
        var rows: [Int]
    }

    private(set) var resources: [(id: Int64, scopes: [Scope])] = []

    init(of trace: StoredTraces.Trace, in traces: borrowing StoredTraces) {
        var places: [Int64: Int] = [:]
        for row in trace.rows {
            let resourceID = traces.resourceID(row: row)
            let scopeID = traces.scopeID(row: row)
            let place = places[resourceID] ?? resources.count
            if place == resources.count {
                places[resourceID] = place
                resources.append((resourceID, []))
            }
            if let index = resources[place].scopes.firstIndex(where: { $0.id == scopeID }) {
                resources[place].scopes[index].rows.append(row)
            } else {
                resources[place].scopes.append(Scope(id: scopeID, rows: [row]))
            }
        }
    }
}
