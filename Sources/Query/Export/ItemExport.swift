// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// How items of one kind are read and written by an export.
protocol ItemExport {
    init(_ format: ExportFormat, _ catalogue: FieldCatalogue)
    /// What goes after SELECT, of the source of a filter.
    var columns: [String] { get }
    /// What goes after ORDER BY: the same for the same rows.
    static var order: String { get }
    static var resourceColumn: Int { get }
    static var scopeColumn: Int { get }
    /// The fields of a record, in their order.
    static var names: [String] { get }
    /// Writes the record of a row.
    func record(
        _ rows: borrowing QueryResult, row: Int, _ origins: Origins,
        to writer: inout some RecordWriter)
    /// The members of OTLP's messages that hold items: of the request, of its elements, of theirs.
    static var otlpLists: (request: String, scopes: String, items: String) { get }
    /// Writes the item of a row in OTLP's JSON.
    func otlp(_ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter)
}

/// Writes the rows of an export in its format, and hands on what is as large as a chunk.
struct ExportSink<Item: ItemExport>: ~Copyable {
    private let item: Item
    private let format: ExportFormat
    private let stream: ChunkStream
    private var origins = Origins()
    private var json = JSONWriter()
    private var csv = CSVWriter()

    init(_ item: Item, _ format: ExportFormat, to stream: ChunkStream) {
        self.item = item
        self.format = format
        self.stream = stream
        if format == .csv { csv.names(Item.names) }
    }

    /// Errors: `cancelled` where nobody wants it any more; those of the database.
    mutating func write(
        _ rows: borrowing QueryResult, from session: inout ReadSession
    ) throws(QueryFailure) {
        try origins.load(
            of: rows, resourceColumn: Item.resourceColumn, scopeColumn: Item.scopeColumn,
            from: &session)
        guard format != .otlpJSON else {
            writeRequest(rows)
            return try flush(from: ChunkStream.chunkSizeBytes)
        }
        for row in 0..<rows.rowCount {
            if format == .csv {
                item.record(rows, row: row, origins, to: &csv)
            } else {
                item.record(rows, row: row, origins, to: &json)
            }
            try flush(from: ChunkStream.chunkSizeBytes)
        }
    }

    /// Hands on the rest.
    mutating func finish() throws(QueryFailure) { try flush(from: 1) }

    private mutating func writeRequest(_ rows: borrowing QueryResult) {
        var groups = OTLPGroups()
        for row in 0..<rows.rowCount {
            groups.add(
                row, resourceID: rows.integer(row: row, column: Item.resourceColumn) ?? 0,
                scopeID: rows.integer(row: row, column: Item.scopeColumn))
        }
        json.object { writer in
            writer.key(Item.otlpLists.request)
            writer.list { writer in
                groups.write(
                    origins, scopes: Item.otlpLists.scopes, items: Item.otlpLists.items,
                    to: &writer
                ) { row, writer in
                    item.otlp(rows, row: row, to: &writer)
                }
            }
        }
        json.endLine()
    }

    /// What is at least `sizeBytes`.
    private mutating func flush(from sizeBytes: Int) throws(QueryFailure) {
        if json.bytes.count >= sizeBytes {
            try stream.putAll(json.bytes)
            json.removeAll()
        }
        if csv.bytes.count >= sizeBytes {
            try stream.putAll(csv.bytes)
            csv.removeAll()
        }
    }
}

extension ChunkStream {
    /// Adds `bytes` in chunks.
    fileprivate func putAll(_ bytes: [UInt8]) throws(QueryFailure) {
        guard bytes.count > 2 * ChunkStream.chunkSizeBytes else { return try put(bytes) }
        var start = 0
        while start < bytes.count {
            let end = min(start + ChunkStream.chunkSizeBytes, bytes.count)
            try put(Array(bytes[start..<end]))
            start = end
        }
    }
}
