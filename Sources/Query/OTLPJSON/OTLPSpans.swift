// SPDX-License-Identifier: Apache-2.0

/// Spans in the JSON mapping of OTLP: ids in hexadecimal digits, 64 bits as strings of digits,
/// enumerations as numbers (opentelemetry-proto, "JSON Protobuf Encoding"). Fields with the default
/// value are left out.
enum OTLPSpans {
    /// The list `resourceSpans`: spans of one resource and scope together, trace by trace.
    static func write(
        _ traces: borrowing StoredTraces, _ origins: Origins, to writer: inout JSONWriter
    ) {
        writer.list { writer in
            for trace in traces.traces {
                var groups = OTLPGroups()
                for row in trace.rows {
                    groups.add(
                        row, resourceID: traces.resourceID(row: row),
                        scopeID: traces.scopeID(row: row))
                }
                groups.write(origins, scopes: "scopeSpans", items: "spans", to: &writer) {
                    (rows, writer) in
                    for row in rows { write(traces[row], of: trace.id.text, to: &writer) }
                }
            }
        }
    }

    // MARK: A span

    /// `tellsAbsence` leaves `status` out of a span that has none; else it is always there, for
    /// readers that count on it.
    static func write(
        _ span: StoredSpan, of traceID: String, tellsAbsence: Bool = false,
        to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("traceId", traceID)
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
            if tellsAbsence, span.statusCode == nil { return }
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
    mutating func textUnlessEmpty(_ name: String, _ text: String) {
        if !text.isEmpty { member(name, text) }
    }

    /// Left out where it is 0.
    mutating func count(_ name: String, _ count: Int64) {
        if count != 0 { member(name, count) }
    }
}
