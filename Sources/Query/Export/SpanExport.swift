// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Spans, out of the columns of the fact table.
///
/// Not out of the view of them, which the lists of the API read: to put the attributes of a row
/// together in the database takes most of its time. A test holds one against the other.
struct SpanExport: ItemExport {
    private let attributes: ExportAttributes
    private let semanticTypes: SemanticTypes

    /// Where things are in a row: the trace id, and `StoredSpan.columns`.
    enum Column {
        static let traceID = 0
        static let span = 1
        static let spanID = 1
        static let parentSpanID = 2
        static let name = 3
        static let kind = 4
        static let startUnixNs = 5
        static let endUnixNs = 6
        static let status = 7
        static let statusMessage = 8
        static let resourceID = 9
        static let scopeID = 10
        static let attributes = 11
        static let events = 12
        static let links = 13
        static let traceState = 14
        static let flags = 15
        static let droppedAttributeCount = 16
        static let droppedEventCount = 17
        static let droppedLinkCount = 18
        static let promoted = 19
    }

    init(_ format: ExportFormat, _ catalogue: FieldCatalogue) {
        attributes = ExportAttributes(
            catalogue.spanColumns, in: format, first: Column.promoted)
        semanticTypes = SemanticTypes(
            promoted: catalogue.spanColumns.map(\.key), first: Column.promoted)
    }

    var columns: [String] { ["fact.trace_id", StoredSpan.columns] + attributes.expressions }

    static let order = "fact.start_time_unix_nano, fact.trace_id, fact.span_id, fact.ctid"
    static let resourceColumn = Column.resourceID
    static let scopeColumn = Column.scopeID

    static let names = [
        "trace_id", "span_id", "parent_span_id", "name", "kind", "start_time_unix_nano",
        "end_time_unix_nano", "duration_nanos", "status", "status_message", "semantic_type",
        "resource_id", "service_name", "scope_name", "scope_version", "attributes", "events",
        "links", "trace_state", "flags", "dropped_attributes_count", "dropped_events_count",
        "dropped_links_count", "resource_attributes",
    ]

    // As in span_kinds and status_codes.
    private static let kinds = [
        "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER",
    ]
    private static let statuses = ["UNSET", "OK", "ERROR"]
    static let errorStatus: Int64 = 2

    /// Nil for numbers that OTLP does not define.
    private static func name(_ number: Int64?, in names: [String]) -> String? {
        let number = number ?? 0
        return names.indices.contains(Int(number)) ? names[Int(number)] : nil
    }

    func record(
        _ rows: borrowing QueryResult, row: Int, _ origins: Origins,
        to writer: inout some RecordWriter
    ) {
        writer.record { writer in
            fields(rows, row: row, origins, to: &writer)
            let resource = rows.integer(row: row, column: Column.resourceID)
                .flatMap { origins.resources[$0] }
            writer.field(
                "resource_attributes", json: Array((resource?.attributesText ?? "{}").utf8))
        }
    }

    /// All fields but the attributes of the resource.
    func fields(
        _ rows: borrowing QueryResult, row: Int, _ origins: Origins,
        to writer: inout some RecordWriter
    ) {
        identity(rows, row, to: &writer)
        let resourceID = rows.integer(row: row, column: Column.resourceID)
        let resource = resourceID.flatMap { origins.resources[$0] }
        let scope = rows.integer(row: row, column: Column.scopeID)
            .flatMap { origins.scopes[$0] }
        writer.field("resource_id", number: resourceID)
        writer.field("service_name", word: resource?.serviceName)
        writer.field("scope_name", word: scope?.name)
        writer.field("scope_version", word: scope?.version)
        writer.field(
            "attributes", json: attributes.text(rows, row: row, column: Column.attributes))
        writer.field("events", json: rows.json(row, Column.events, or: "[]"))
        writer.field("links", json: rows.json(row, Column.links, or: "[]"))
        writer.field("trace_state", text: rows.field(row, Column.traceState))
        writer.field("flags", number: rows.unsigned(row, Column.flags))
        writer.field(
            "dropped_attributes_count",
            number: rows.unsigned(row, Column.droppedAttributeCount))
        writer.field(
            "dropped_events_count", number: rows.unsigned(row, Column.droppedEventCount))
        writer.field(
            "dropped_links_count", number: rows.unsigned(row, Column.droppedLinkCount))
    }

    private func identity(
        _ rows: borrowing QueryResult, _ row: Int, to writer: inout some RecordWriter
    ) {
        let start = rows.integer(row: row, column: Column.startUnixNs) ?? 0
        let end = rows.integer(row: row, column: Column.endUnixNs) ?? 0
        writer.field("trace_id", hex: rows.field(row, Column.traceID))
        writer.field("span_id", text: rows.field(row, Column.spanID))
        writer.field("parent_span_id", text: rows.field(row, Column.parentSpanID))
        writer.field("name", text: rows.field(row, Column.name))
        writer.field(
            "kind",
            word: SpanExport.name(
                rows.integer(row: row, column: Column.kind), in: SpanExport.kinds))
        writer.field("start_time_unix_nano", digits: start)
        writer.field("end_time_unix_nano", digits: end)
        writer.field("duration_nanos", digits: end - start)
        writer.field(
            "status",
            word: SpanExport.name(
                rows.integer(row: row, column: Column.status), in: SpanExport.statuses))
        writer.field("status_message", text: rows.field(row, Column.statusMessage))
        let type = semanticTypes.type(of: rows, row: row, attributes: Column.attributes)
        writer.field("semantic_type", word: type.rawValue)
    }

    static let otlpLists = (request: "resourceSpans", scopes: "scopeSpans", items: "spans")

    func otlp(_ rows: borrowing QueryResult, _ group: [Int], to writer: inout JSONWriter) {
        for row in group { otlp(rows, row, to: &writer) }
    }

    private func otlp(_ rows: borrowing QueryResult, _ row: Int, to writer: inout JSONWriter) {
        let span = StoredSpan(
            rows, row: row, first: Column.span, promoted: attributes.promoted)
        let traceID = TraceBits(rows.bytes(row: row, column: Column.traceID)).text
        OTLPSpans.write(span, of: traceID, tellsAbsence: true, to: &writer)
    }
}
