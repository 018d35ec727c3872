// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Rows

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

    /// Of `otel_spans_fact AS fact` and its `operation`, in the order in which `init` reads them;
    /// the columns of promoted attributes follow.
    static let columns = """
        otel_span_id_hex(fact.span_id), otel_span_id_hex(fact.parent_span_id),
        COALESCE(operation.name, fact.name, ''), COALESCE(operation.kind_id, fact.kind_id, 0),
        fact.start_time_unix_nano, fact.end_time_unix_nano, fact.status_code_id,
        fact.status_message, fact.resource_id, fact.scope_id, fact.attributes::text,
        fact.events::text, fact.links::text, fact.trace_state, fact.flags,
        fact.dropped_attributes_count, fact.dropped_events_count, fact.dropped_links_count
        """
    private static let columnCount = 18

    /// Where in the columns is what tells spans apart.
    enum Column {
        static let spanID = 0
        static let kind = 3
        static let startUnixNs = 4
        static let endUnixNs = 5
        static let resourceID = 8
        static let scopeID = 9
    }

    /// Reads columns `first...` of `row`, of which `promoted` are the last.
    init(
        _ rows: borrowing QueryResult, row: Int, first: Int, promoted: [PromotedColumn]
    ) {
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
        var attributes = Attribute.all(of: StoredJSON(rows.bytes(row: row, column: first + 10)))
        for (index, column) in promoted.enumerated() {
            let place = first + StoredSpan.columnCount + index
            guard !rows.isNull(row: row, column: place) else { continue }
            let value = AttributeValue(rows, row: row, column: place, column.type)
            attributes.append(Attribute(key: column.key, value: value))
        }
        self.attributes = attributes
        events = (StoredJSON(rows.bytes(row: row, column: first + 11))?.elements ?? [])
            .map { SpanEvent($0) }
        links = (StoredJSON(rows.bytes(row: row, column: first + 12))?.elements ?? [])
            .map { SpanLink($0) }
        traceState = rows.string(row: row, column: first + 13)
        flags = rows.unsigned(row, first + 14)
        droppedAttributeCount = rows.unsigned(row, first + 15)
        droppedEventCount = rows.unsigned(row, first + 16)
        droppedLinkCount = rows.unsigned(row, first + 17)
    }

    /// A column of an attribute.
    struct PromotedColumn {
        let key: String
        let type: AttributeType
    }
}

extension AttributeValue {
    /// Of a column that is not NULL.
    init(
        _ rows: borrowing QueryResult, row: Int, column: Int, _ type: AttributeType
    ) {
        let bytes = rows.bytes(row: row, column: column)
        switch type {
        case .string: self = .string(bytes.string)
        case .int: self = .int("\(rows.integer(row: row, column: column) ?? 0)")
        case .bool: self = .bool(rows.bool(row: row, column: column) ?? false)
        case .double:
            let value = Double(bitPattern: bytes.bigEndian(at: 0, as: UInt64.self))
            self = .double(value.wireText)
        case .bytes:
            var digits: [UInt8] = []
            Base64.encode(bytes, isPadded: true) { digits.append($0) }
            self = .bytes(String(decoding: digits, as: UTF8.self))
        }
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
