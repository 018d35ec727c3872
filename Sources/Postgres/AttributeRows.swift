// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import Rows

/// Attributes of new dimension rows, sorted into the typed tables of their owner.
///
/// Collects until `isFull`, so that neither ten thousand owners nor one with huge attributes make a
/// statement without bound.
struct AttributeRows {
    /// The rows of one typed table.
    private struct Table {
        var ownerIDs: ArrayParameter
        var keys = ArrayParameter(.text)
        var values: ArrayParameter

        init(idType: ParameterType, valueType: ParameterType) {
            ownerIDs = ArrayParameter(idType)
            values = ArrayParameter(valueType)
        }

        mutating func append(ownerID: Int64, key: ByteSlice) {
            if ownerIDs.type == .int4 {
                ownerIDs.append(Int32(ownerID))
            } else {
                ownerIDs.append(ownerID)
            }
            keys.append(key)
        }
    }

    /// `otel_resource_attrs`
    let prefix: String
    /// `resource_id`
    let idColumn: String
    let idType: ParameterType
    private var tables: [AttributeTable: Table] = [:]
    private(set) var sizeBytes = 0

    init(prefix: String, idColumn: String, idType: ParameterType) {
        self.prefix = prefix
        self.idColumn = idColumn
        self.idType = idType
    }

    var isFull: Bool { sizeBytes >= DimensionLimits.statementSizeBytesMax }

    mutating func append(
        _ attributes: EffectiveAttributes, ownerID: Int64
    ) throws(DatabaseError) {
        for attribute in attributes.members { append(attribute, ownerID: ownerID) }
        let others = attributes.others
        guard !others.isEmpty else { return }
        let text = try jsonText { $0.appendJSON(attributes: others) }
        sizeBytes += text.count
        var table = take(.other)
        table.append(ownerID: ownerID, key: .empty)
        table.values.append(text)
        tables[.other] = table
    }

    private mutating func append(_ attribute: KeyValueView, ownerID: Int64) {
        let kind = AttributeTable(of: attribute)
        guard kind != .other, let value = attribute.value?.kind else { return }
        var table = take(kind)
        table.append(ownerID: ownerID, key: attribute.key)
        switch value {
        case .string(let slice), .bytes(let slice):
            table.values.append(slice)
            sizeBytes += slice.count
        case .int(let number): table.values.append(number)
        case .double(let number): table.values.append(number)
        case .bool(let flag): table.values.append(flag)
        case .array, .kvlist, .none: preconditionFailure("these have no typed table")
        }
        sizeBytes += attribute.key.count + 16
        tables[kind] = table
    }

    /// Takes the table out of the dictionary, so that appending to it does not copy it.
    private mutating func take(_ kind: AttributeTable) -> Table {
        tables.removeValue(forKey: kind) ?? Table(idType: idType, valueType: kind.valueType)
    }

    /// The names of all attributes in typed tables, each once.
    static func keys(of attributes: some Sequence<EffectiveAttributes>) -> ArrayParameter {
        var seen: Set<[UInt8]> = []
        for owner in attributes {
            for member in owner.members where AttributeTable(of: member) != .other {
                seen.insert(unsafe Array(member.key.buffer))
            }
        }
        var keys = ArrayParameter(.text)
        for key in seen { keys.append(key) }
        return keys
    }

    /// The statements that insert everything collected.
    func statements() -> [(sql: String, parameters: QueryParameters)] {
        AttributeTable.allCases.compactMap { kind in
            guard let table = tables[kind] else { return nil }
            let name = "\(prefix)_\(kind.suffix)"
            if kind == .other {
                let sql = """
                    INSERT INTO \(name) (\(idColumn), attributes)
                    SELECT id, text::jsonb FROM unnest($1, $2) AS new (id, text)
                    """
                return (sql, QueryParameters([table.ownerIDs, table.values]))
            }
            let sql = """
                INSERT INTO \(name) (\(idColumn), key_id, value)
                SELECT id, key_id, value FROM unnest($1, $2, $3) AS new (id, key, value)
                JOIN attribute_keys USING (key)
                """
            return (sql, QueryParameters([table.ownerIDs, table.keys, table.values]))
        }
    }
}

extension AttributeTable {
    fileprivate var valueType: ParameterType {
        switch self {
        case .string, .other: .text
        case .int: .int8
        case .double: .float8
        case .bool: .bool
        case .bytes: .bytea
        }
    }
}
