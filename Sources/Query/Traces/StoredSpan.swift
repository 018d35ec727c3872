// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// One span as it is stored, out of a row of `StoredTraces`.
struct StoredSpan {
    let spanID: String
    let parentSpanID: String?
    let name: String
    /// SpanKind.
    let kind: Int64
    let startUnixNs: Int64
    let endUnixNs: Int64
    /// Status.code; nil where there is no Status.
    let statusCode: Int64?
    let statusMessage: String
    let resourceID: Int64
    let scopeID: Int64?
    let attributes: [Attribute]
    let events: [SpanEvent]
    let links: [SpanLink]
    let traceState: String
    let flags: Int64
    let droppedAttributeCount: Int64
    let droppedEventCount: Int64
    let droppedLinkCount: Int64

    /// Of `v_otel_spans_enriched AS span`, in the order in which `init` reads them.
    static let columns = """
        span.span_id_hex, span.parent_span_id_hex, span.name, span.kind_id,
        span.start_time_unix_nano, span.end_time_unix_nano, span.status_code_id,
        span.status_message, span.resource_id, span.scope_id, span.attributes::text,
        span.events::text, span.links::text, span.trace_state, span.flags,
        span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count
        """

    /// Where in the columns is what tells spans apart.
    enum Column {
        static let spanID = 0
        static let kind = 3
        static let startUnixNs = 4
        static let endUnixNs = 5
        static let resourceID = 8
        static let scopeID = 9
    }

    /// Reads columns `first...` of `row`.
    init(_ rows: borrowing QueryResult, row: Int, first: Int) {
        spanID = rows.string(row: row, column: first)
        parentSpanID =
            rows.isNull(row: row, column: first + 1)
            ? nil : rows.string(row: row, column: first + 1)
        name = rows.string(row: row, column: first + 2)
        kind = rows.integer(row: row, column: first + 3) ?? 0
        startUnixNs = rows.integer(row: row, column: first + 4) ?? 0
        endUnixNs = rows.integer(row: row, column: first + 5) ?? 0
        statusCode = rows.integer(row: row, column: first + 6)
        statusMessage = rows.string(row: row, column: first + 7)
        resourceID = rows.integer(row: row, column: first + 8) ?? 0
        scopeID = rows.integer(row: row, column: first + 9)
        attributes = Attribute.all(of: StoredJSON(rows.bytes(row: row, column: first + 10)))
        events = (StoredJSON(rows.bytes(row: row, column: first + 11))?.elements ?? [])
            .map { SpanEvent($0) }
        links = (StoredJSON(rows.bytes(row: row, column: first + 12))?.elements ?? [])
            .map { SpanLink($0) }
        traceState = rows.string(row: row, column: first + 13)
        flags = rows.integer(row: row, column: first + 14) ?? 0
        droppedAttributeCount = rows.integer(row: row, column: first + 15) ?? 0
        droppedEventCount = rows.integer(row: row, column: first + 16) ?? 0
        droppedLinkCount = rows.integer(row: row, column: first + 17) ?? 0
    }
}

/// An event of a span; members that are 0 or empty are not stored.
struct SpanEvent {
    let timeUnixNs: UInt64
    let name: String
    let attributes: [Attribute]
    let droppedAttributeCount: UInt64

    fileprivate init(_ form: StoredJSON) {
        timeUnixNs = form["time_unix_nano"]?.unsigned ?? 0
        name = form["name"]?.text ?? ""
        attributes = Attribute.all(of: form["attributes"])
        droppedAttributeCount = form["dropped_attributes_count"]?.unsigned ?? 0
    }
}

/// A link of a span; members that are 0 or empty are not stored.
struct SpanLink {
    let traceID: String
    let spanID: String
    let traceState: String
    let attributes: [Attribute]
    let droppedAttributeCount: UInt64
    let flags: UInt64

    fileprivate init(_ form: StoredJSON) {
        traceID = form["trace_id"]?.text ?? ""
        spanID = form["span_id"]?.text ?? ""
        traceState = form["trace_state"]?.text ?? ""
        attributes = Attribute.all(of: form["attributes"])
        droppedAttributeCount = form["dropped_attributes_count"]?.unsigned ?? 0
        flags = form["flags"]?.unsigned ?? 0
    }
}
