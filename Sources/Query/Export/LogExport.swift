// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Log records, out of the columns of the fact table, as `SpanExport` does it.
struct LogExport: ItemExport {
    private let attributes: ExportAttributes

    private enum Column {
        static let timeUnixNs = 0
        static let observedUnixNs = 1
        static let logID = 2
        static let severityNumber = 3
        static let severityText = 4
        static let eventName = 5
        static let bodyType = 6
        static let bodyText = 7
        static let body = 8
        static let traceID = 9
        static let spanID = 10
        static let flags = 11
        static let resourceID = 12
        static let scopeID = 13
        static let attributes = 14
        static let droppedAttributeCount = 15
        static let isTimeSubstituted = 16
        static let promoted = 17
    }

    init(_ format: ExportFormat, _ catalogue: FieldCatalogue) {
        attributes = ExportAttributes(catalogue.logColumns, in: format, first: Column.promoted)
    }

    var columns: [String] {
        let own = """
            fact.time_unix_nano, fact.observed_time_unix_nano, fact.log_id, fact.severity_number,
            fact.severity_text, fact.event_name, fact.body_type_id, fact.body_text,
            fact.body::text, fact.trace_id, otel_span_id_hex(fact.span_id), fact.flags,
            fact.resource_id, fact.scope_id, fact.attributes::text, fact.dropped_attributes_count,
            COALESCE(fact.time_is_substituted, false)
            """
        return [own] + attributes.expressions
    }

    static let order = "fact.time_unix_nano, fact.log_id"
    static let resourceColumn = Column.resourceID
    static let scopeColumn = Column.scopeID

    static let names = [
        "time_unix_nano", "observed_time_unix_nano", "log_id", "severity_number", "severity_text",
        "event_name", "body", "body_type", "trace_id", "span_id", "flags", "resource_id",
        "service_name", "scope_name", "scope_version", "attributes", "resource_attributes",
        "dropped_attributes_count", "time_is_substituted",
    ]

    // As in log_body_types.
    private static let bodyTypes = [
        "empty", "string", "bool", "int", "double", "array", "kvlist", "bytes",
    ]
    private static let emptyBody: Int64 = 0
    private static let stringBody: Int64 = 1

    func record(
        _ rows: borrowing QueryResult, row: Int, _ origins: Origins,
        to writer: inout some RecordWriter
    ) {
        writer.record { writer in
            func integer(_ column: Int) -> Int64? { rows.integer(row: row, column: column) }
            writer.field("time_unix_nano", digits: integer(Column.timeUnixNs))
            writer.field("observed_time_unix_nano", digits: integer(Column.observedUnixNs))
            writer.field("log_id", digits: integer(Column.logID))
            writer.field("severity_number", number: integer(Column.severityNumber))
            writer.field("severity_text", text: rows.field(row, Column.severityText))
            writer.field("event_name", text: rows.field(row, Column.eventName))
            body(rows, row, to: &writer)
            writer.field("trace_id", hex: rows.field(row, Column.traceID))
            writer.field("span_id", text: rows.field(row, Column.spanID))
            writer.field("flags", number: rows.unsigned(row, Column.flags))
            let resource = integer(Column.resourceID).flatMap { origins.resources[$0] }
            let scope = integer(Column.scopeID).flatMap { origins.scopes[$0] }
            writer.field("resource_id", number: integer(Column.resourceID))
            writer.field("service_name", word: resource?.serviceName)
            writer.field("scope_name", word: scope?.name)
            writer.field("scope_version", word: scope?.version)
            writer.field(
                "attributes", json: attributes.text(rows, row: row, column: Column.attributes))
            writer.field(
                "resource_attributes", json: Array((resource?.attributesText ?? "{}").utf8))
            writer.field(
                "dropped_attributes_count",
                number: rows.unsigned(row, Column.droppedAttributeCount))
            writer.field("time_is_substituted", truth: isTimeSubstituted(rows, row))
        }
    }

    private func isTimeSubstituted(_ rows: borrowing QueryResult, _ row: Int) -> Bool {
        rows.bool(row: row, column: Column.isTimeSubstituted) ?? false
    }

    private func body(
        _ rows: borrowing QueryResult, _ row: Int, to writer: inout some RecordWriter
    ) {
        let type = rows.integer(row: row, column: Column.bodyType)
        if type == LogExport.stringBody {
            // An empty text is stored as NULL.
            writer.field(
                "body", json: nil, text: rows.field(row, Column.bodyText) ?? .empty)
        } else {
            let other = type == LogExport.emptyBody ? "null" : nil
            writer.field("body", json: rows.json(row, Column.body, or: other), text: nil)
        }
        let name = type.flatMap { number in
            LogExport.bodyTypes.indices.contains(Int(number))
                ? LogExport.bodyTypes[Int(number)] : nil
        }
        writer.field("body_type", word: name)
    }

    // MARK: OTLP

    static let otlpLists = (request: "resourceLogs", scopes: "scopeLogs", items: "logRecords")

    func otlp(_ rows: borrowing QueryResult, _ group: [Int], to writer: inout JSONWriter) {
        for row in group { otlp(rows, row, to: &writer) }
    }

    private func otlp(_ rows: borrowing QueryResult, _ row: Int, to writer: inout JSONWriter) {
        writer.object { writer in
            func integer(_ column: Int) -> Int64? { rows.integer(row: row, column: column) }
            let (time, observed) = (integer(Column.timeUnixNs), integer(Column.observedUnixNs))
            // Whoever stores it again substitutes the observed time again; without one it would be
            // the time of arrival, of which only this is left.
            if !isTimeSubstituted(rows, row) || observed == nil {
                writer.member("timeUnixNano", digits: time)
            }
            if let observed { writer.member("observedTimeUnixNano", digits: observed) }
            writer.count("severityNumber", integer(Column.severityNumber) ?? 0)
            writer.textUnlessEmpty(
                "severityText", rows.string(row: row, column: Column.severityText))
            writer.textUnlessEmpty("eventName", rows.string(row: row, column: Column.eventName))
            if let body = body(rows, row) {
                writer.key("body")
                writer.otlp(body)
            }
            writer.key("attributes")
            writer.otlp(attributes.all(rows, row: row, column: Column.attributes))
            writer.count(
                "droppedAttributesCount", rows.unsigned(row, Column.droppedAttributeCount))
            writer.count("flags", rows.unsigned(row, Column.flags))
            if let traceID = rows.field(row, Column.traceID) {
                writer.member("traceId", TraceBits(traceID).text)
            }
            if rows.field(row, Column.spanID) != nil {
                writer.member("spanId", rows.string(row: row, column: Column.spanID))
            }
        }
    }

    /// Nil where there is none, which is different from an empty one.
    private func body(_ rows: borrowing QueryResult, _ row: Int) -> AttributeValue? {
        switch rows.integer(row: row, column: Column.bodyType) {
        case nil: nil
        case LogExport.emptyBody: .empty
        case LogExport.stringBody: .string(rows.string(row: row, column: Column.bodyText))
        default:
            StoredJSON(rows.bytes(row: row, column: Column.body)).map { AttributeValue($0) }
                ?? .empty
        }
    }
}
