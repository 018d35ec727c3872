// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Rows

/// The columns of promoted attributes at the end of the rows of an export, and how they go together
/// with what is not promoted.
struct ExportAttributes {
    private let columns: [(key: String, column: FieldCatalogue.Column)]
    private let format: ExportFormat
    /// Where they begin.
    private let first: Int

    init(
        _ columns: [(key: String, column: FieldCatalogue.Column)], in format: ExportFormat,
        first: Int
    ) {
        self.columns = columns
        self.format = format
        self.first = first
    }

    /// What goes after SELECT. Doubles and bytes have a form of their own in JSON.
    var expressions: [String] {
        columns.map { _, column in
            let value = "fact.\(column.name)"
            return format != .otlpJSON && [.double, .bytes].contains(column.type)
                ? "otel_\(column.type.rawValue)_json(\(value))::text" : value
        }
    }

    /// For `StoredSpan`, which reads the values themselves.
    var promoted: [StoredSpan.PromotedColumn] {
        columns.map { StoredSpan.PromotedColumn(key: $0.key, type: $0.column.type) }
    }

    /// All attributes of a row as values, those of `column` first.
    func all(_ rows: borrowing QueryResult, row: Int, column: Int) -> [Attribute] {
        var attributes = Attribute.all(of: StoredJSON(rows.bytes(row: row, column: column)))
        for (index, entry) in columns.enumerated()
        where !rows.isNull(row: row, column: first + index) {
            let value = AttributeValue(
                rows, row: row, column: first + index, entry.column.type)
            attributes.append(Attribute(key: entry.key, value: value))
        }
        return attributes
    }

    /// The same as JSON text, in the form that the API shows attributes in.
    func text(_ rows: borrowing QueryResult, row: Int, column: Int) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            let stored = rows.bytes(row: row, column: column)
            // `{}` and NULL have no members.
            if stored.count > 2 { writer.json(stored.slice(offset: 1, count: stored.count - 2)) }
            for (index, entry) in columns.enumerated()
            where !rows.isNull(row: row, column: first + index) {
                writer.key(entry.key)
                let value = rows.bytes(row: row, column: first + index)
                switch entry.column.type {
                case .string: writer.text(value)
                case .int: writer.number(rows.integer(row: row, column: first + index) ?? 0)
                case .bool: writer.truth(rows.bool(row: row, column: first + index) ?? false)
                case .double, .bytes: writer.json(value)
                }
            }
        }
        return writer.bytes
    }
}

extension QueryResult {
    /// A field; nil for NULL.
    func field(_ row: Int, _ column: Int) -> ByteSlice? {
        isNull(row: row, column: column) ? nil : bytes(row: row, column: column)
    }

    /// A field of JSON text; `other` for NULL.
    func json(_ row: Int, _ column: Int, or other: String? = nil) -> [UInt8]? {
        guard let value = field(row, column) else { return other.map { Array($0.utf8) } }
        return unsafe Array(value.buffer)
    }

    /// A uint32, of which the column has the bits; 0 for NULL.
    func unsigned(_ row: Int, _ column: Int) -> Int64 {
        Int64(UInt32(truncatingIfNeeded: integer(row: row, column: column) ?? 0))
    }
}
