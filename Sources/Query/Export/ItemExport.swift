// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// How items of one kind are read and written by an export.
protocol ItemExport {
    /// What goes after SELECT, of the source of a filter.
    var columns: [String] { get }
    /// What goes after ORDER BY: the same for the same rows.
    static var order: String { get }
    static var resourceColumn: Int { get }
    static var scopeColumn: Int { get }
    /// The fields of a record, in their order.
    static var names: [String] { get }
    /// Reads what `rows` need beside their resources and scopes.
    mutating func load(
        _ rows: borrowing QueryResult, from session: inout ReadSession
    ) throws(QueryFailure)
    /// Writes the record of a row.
    func record(
        _ rows: borrowing QueryResult, row: Int, _ origins: Origins,
        to writer: inout some RecordWriter)
    /// The members of OTLP's messages that hold items: of the request, of its elements, of theirs.
    static var otlpLists: (request: String, scopes: String, items: String) { get }
    /// Writes items in OTLP's JSON: `group` are the rows of one resource and scope.
    func otlp(_ rows: borrowing QueryResult, _ group: [Int], to writer: inout JSONWriter)
}

extension ItemExport {
    mutating func load(
        _ rows: borrowing QueryResult, from session: inout ReadSession
    ) throws(QueryFailure) {}
}

/// Items of an export with what many of them have in common.
struct ExportedItems<Item: ItemExport> {
    private var item: Item
    private var origins = Origins()

    init(_ item: Item) { self.item = item }

    /// What goes after SELECT.
    var columns: [String] { item.columns }

    /// Errors: `cancelled` where nobody wants it any more; those of the database.
    mutating func write(
        _ rows: borrowing QueryResult, to sink: inout ExportSink, from session: inout ReadSession
    ) throws(QueryFailure) {
        try origins.load(
            of: rows, resourceColumn: Item.resourceColumn, scopeColumn: Item.scopeColumn,
            from: &session)
        try item.load(rows, from: &session)
        guard sink.format != .otlpJSON else {
            writeRequest(rows, to: &sink.json)
            return try sink.flush()
        }
        for row in 0..<rows.rowCount {
            if sink.format == .csv {
                item.record(rows, row: row, origins, to: &sink.csv)
            } else {
                item.record(rows, row: row, origins, to: &sink.json)
            }
            try sink.flush()
        }
    }

    private func writeRequest(_ rows: borrowing QueryResult, to writer: inout JSONWriter) {
        var groups = OTLPGroups()
        for row in 0..<rows.rowCount {
            groups.add(
                row, resourceID: rows.integer(row: row, column: Item.resourceColumn) ?? 0,
                scopeID: rows.integer(row: row, column: Item.scopeColumn))
        }
        writer.object { writer in
            writer.key(Item.otlpLists.request)
            writer.list { writer in
                groups.write(
                    origins, scopes: Item.otlpLists.scopes, items: Item.otlpLists.items,
                    to: &writer
                ) { group, writer in
                    item.otlp(rows, group, to: &writer)
                }
            }
        }
        writer.endLine()
    }
}
