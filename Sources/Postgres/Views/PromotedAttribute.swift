// SPDX-License-Identifier: Apache-2.0
package import Rows

extension AttributeType {
    /// What the typed tables and the columns of facts use.
    var sqlType: String {
        switch self {
        case .string: "text"
        case .int: "bigint"
        case .double: "double precision"
        case .bool: "boolean"
        case .bytes: "bytea"
        }
    }

    /// The form that a value has in jsonb columns (docs/attributes.md); NULL for NULL.
    func json(_ expression: String) -> String {
        switch self {
        case .string, .int, .bool: "to_jsonb(\(expression))"
        case .double: "otel_double_json(\(expression))"
        case .bytes: "otel_bytes_json(\(expression))"
        }
    }

    /// The value out of its form in jsonb columns; NULL where it is of another kind.
    func value(ofJSON expression: String) -> String { "otel_value_\(rawValue)(\(expression))" }
}

/// An attribute of which values of one type have a column on the fact row: a row of
/// `otel_attribute_columns` whose column exists.
package struct PromotedAttribute: Sendable, Equatable {
    /// As the registry writes them.
    package enum Signal: String, CaseIterable, Sendable {
        case spans, logs
    }

    package let signal: Signal
    package let key: String
    package let type: AttributeType
    package let columnName: String

    package init(signal: Signal, key: String, type: AttributeType, columnName: String) {
        self.signal = signal
        self.key = key
        self.type = type
        self.columnName = columnName
    }

    /// Every promoted attribute of the database, in an order that depends on nothing else.
    ///
    /// None where the registry does not exist yet. What this version does not know is left out.
    static func load(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [PromotedAttribute] {
        let registry = try connection.query(
            "SELECT to_regclass('otel_attribute_columns') IS NOT NULL", deadlineNs: deadlineNs)
        guard registry.bool(row: 0, column: 0) == true else { return [] }
        return all(in: try connection.query(listQuery, deadlineNs: deadlineNs))
    }

    /// What `all(in:)` reads the rows of.
    package static let listQuery = """
        SELECT signal, key, type, column_name
        FROM otel_attribute_columns
        JOIN pg_attribute ON attname = column_name AND attnum > 0 AND NOT attisdropped
            AND attrelid = to_regclass('otel_' || signal || '_fact')
        ORDER BY signal COLLATE "C", key COLLATE "C", type COLLATE "C"
        """

    /// Out of the rows of `listQuery`. What this version does not know is left out.
    package static func all(in result: borrowing QueryResult) -> [PromotedAttribute] {
        var attributes: [PromotedAttribute] = []
        for row in 0..<result.rowCount {
            guard let signal = Signal(rawValue: result.string(row: row, column: 0)),
                let type = AttributeType(rawValue: result.string(row: row, column: 2))
            else { continue }
            attributes.append(
                PromotedAttribute(
                    signal: signal, key: result.string(row: row, column: 1), type: type,
                    columnName: result.string(row: row, column: 3)))
        }
        return attributes
    }

    /// Gives every promoted key its `key_id`, without which the attribute views could show none.
    static func registerKeys(
        of attributes: [PromotedAttribute], on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) {
        var keys = ArrayParameter(.text)
        for key in Set(attributes.map(\.key)).sorted() where key.utf8.count <= keySizeBytesMax {
            keys.append(key)
        }
        guard keys.count > 0 else { return }
        var parameters = QueryParameters()
        parameters.append(keys)
        // The anti-join keeps the identity column from counting on in vain.
        _ = try connection.query(
            """
            INSERT INTO attribute_keys (key)
            SELECT key FROM unnest($1::text[]) AS wanted (key)
            WHERE NOT EXISTS (SELECT FROM attribute_keys AS known WHERE known.key = wanted.key)
            ON CONFLICT DO NOTHING
            """, parameters, deadlineNs: deadlineNs)
    }

    /// The bound that `attribute_keys` has.
    private static let keySizeBytesMax = 512
}
