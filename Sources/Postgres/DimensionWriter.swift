// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Rows

/// Bounds of what is sent in one go.
enum DimensionLimits {
    /// Rows of one transaction: short, because other daemons may wait for it.
    static let rowsPerTransactionMax = 1_000
    /// Bytes of parameters after which a statement is sent; one owner's more may stand in it. libpq
    /// holds a copy while it is sent.
    static let statementSizeBytesMax = 1 << 20
    /// Look-ups and insertions in turn before giving up: each turn but the first needs another
    /// daemon that interferes.
    static let roundCountMax = 16
    /// What a jsonb can hold at all.
    static let jsonSizeBytesMax = 255 << 20
}

extension PGConnection {
    /// Writes the dimensions that are not in the database yet, and reports the id of each into
    /// `missing`.
    ///
    /// Any number of daemons may write the same ones at once and agree on the ids. What is new is
    /// committed in short transactions of its own, together with its attributes. Operations beyond
    /// `operationInsertCountMax` stay without an id.
    /// Cost: one round trip per table for what exists, about ten per 1,000 rows that do not.
    /// Errors: ids reported so far are good; call again for the rest.
    package mutating func writeDimensions(
        _ missing: inout MissingDimensions, deadlineNs: UInt64
    ) throws(DatabaseError) {
        precondition(!isInTransaction, "dimensions are committed before the rows that name them")
        try write(&missing.resources, as: ResourceRows.self, deadlineNs: deadlineNs)
        try write(&missing.scopes, as: ScopeRows.self, deadlineNs: deadlineNs)
        missing.operationInsertedCount += try write(
            &missing.operations, as: OperationRows.self,
            insertCountMax: missing.operationInsertCountMax - missing.operationInsertedCount,
            deadlineNs: deadlineNs)
        try write(&missing.metrics, as: MetricRows.self, deadlineNs: deadlineNs)
        try write(&missing.bounds, as: BoundsRows.self, deadlineNs: deadlineNs)
        try write(&missing.series, as: SeriesRows.self, deadlineNs: deadlineNs)
    }

    /// How many operations there are, counted up to `limit`.
    package mutating func countOperations(
        limit: Int, deadlineNs: UInt64
    ) throws(DatabaseError) -> Int {
        var parameters = QueryParameters()
        parameters.append(Int64(limit))
        let result = try query(
            "SELECT count(*) FROM (SELECT FROM otel_operations_dim LIMIT $1) AS counted",
            parameters,
            deadlineNs: deadlineNs)
        return Int(result.integer(row: 0, column: 0) ?? 0)
    }

    /// Looks up what exists and inserts what does not, until every entry has an id, or
    /// `insertCountMax` were inserted. Returns how many were.
    @discardableResult
    private mutating func write<Rows: DimensionRows>(
        _ list: inout MissingList<Rows.Content>, as rows: Rows.Type, insertCountMax: Int = .max,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Int {
        // Everybody inserts in the order of the hashes: nobody can lock out somebody who locks him
        // out.
        var open = list.positionsSortedByHash.filter { list.entries[$0].id == 0 }
        var insertedCount = 0
        for _ in 0..<DimensionLimits.roundCountMax {
            guard !open.isEmpty else { return insertedCount }
            try lookUp(&list, open, as: rows, deadlineNs: deadlineNs)
            open.removeAll { list.entries[$0].id != 0 }
            guard insertedCount < insertCountMax else { return insertedCount }
            var rest = open[...]
            while !rest.isEmpty, insertedCount < insertCountMax {
                insertedCount += try insertSome(
                    &list, &rest, countMax: insertCountMax - insertedCount, as: rows,
                    deadlineNs: deadlineNs)
            }
            // What was not inserted now was inserted by another daemon a moment ago: look again.
            open.removeAll { list.entries[$0].id != 0 }
        }
        guard open.isEmpty else {
            throw DatabaseError(
                .unexpectedAnswer, .transient,
                message: "\(rows.table) neither shows nor takes some rows")
        }
        return insertedCount
    }

    private mutating func lookUp<Rows: DimensionRows>(
        _ list: inout MissingList<Rows.Content>, _ positions: [Int], as rows: Rows.Type,
        deadlineNs: UInt64
    ) throws(DatabaseError) {
        var hashes = ArrayParameter(.bytea)
        for position in positions { hashes.append(list.entries[position].hash.bytes) }
        let result = try query(
            rows.selectStatement, QueryParameters([hashes]), deadlineNs: deadlineNs)
        for (hash, id) in try DimensionIDs(result).pairs { list.learn(id: id, hash: hash) }
    }

    /// One transaction: the first of `rest`, as many as fit it, and their attributes. Takes them
    /// off `rest`, and returns how many of them were new.
    private mutating func insertSome<Rows: DimensionRows>(
        _ list: inout MissingList<Rows.Content>, _ rest: inout ArraySlice<Int>, countMax: Int,
        as rows: Rows.Type, deadlineNs: UInt64
    ) throws(DatabaseError) -> Int {
        var new = Rows()
        var attributes: [ContentHash: EffectiveAttributes] = [:]
        var room = min(countMax, DimensionLimits.rowsPerTransactionMax)
        while room > 0, new.sizeBytes < DimensionLimits.statementSizeBytesMax,
            let position = rest.popFirst()
        {
            let entry = list.entries[position]
            try new.append(entry)
            attributes[entry.hash] = rows.attributes(of: entry.content)
            room -= 1
        }
        try registerKeys(of: attributes.values, deadlineNs: deadlineNs)
        let parameters = QueryParameters(new.columns)
        let inserted = try withTransaction(deadlineNs: deadlineNs) {
            connection throws(DatabaseError) in
            let result = try connection.query(
                rows.insertStatement, parameters, deadlineNs: deadlineNs)
            let inserted = try DimensionIDs(result).pairs
            try connection.insertAttributes(
                attributes, of: inserted, as: rows, deadlineNs: deadlineNs)
            return inserted
        }
        for (hash, id) in inserted { list.learn(id: id, hash: hash) }
        return inserted.count
    }

    /// Puts names that are new into the registry. Names stay, so this needs no transaction with
    /// others.
    private mutating func registerKeys(
        of attributes: some Sequence<EffectiveAttributes>, deadlineNs: UInt64
    ) throws(DatabaseError) {
        let keys = AttributeRows.keys(of: attributes)
        guard keys.count > 0 else { return }
        _ = try query(
            """
            INSERT INTO attribute_keys (key) SELECT key FROM unnest($1::text[]) AS new (key)
            WHERE NOT EXISTS (SELECT FROM attribute_keys AS old WHERE old.key = new.key)
            ORDER BY key ON CONFLICT (key) DO NOTHING
            """, QueryParameters([keys]), deadlineNs: deadlineNs)
    }

    private mutating func insertAttributes<Rows: DimensionRows>(
        _ attributes: [ContentHash: EffectiveAttributes], of inserted: [(ContentHash, Int64)],
        as rows: Rows.Type, deadlineNs: UInt64
    ) throws(DatabaseError) {
        guard let prefix = rows.attributePrefix else { return }
        let empty = AttributeRows(prefix: prefix, idColumn: rows.idColumn, idType: rows.idType)
        var collected = empty
        for (index, (hash, id)) in inserted.enumerated() {
            if let owned = attributes[hash] { try collected.append(owned, ownerID: id) }
            guard collected.isFull || index == inserted.count - 1 else { continue }
            for (sql, parameters) in collected.statements() {
                _ = try query(sql, parameters, deadlineNs: deadlineNs)
            }
            collected = empty
        }
    }
}

/// Hash and id of dimension rows, as both statements of `DimensionRows` return them.
private struct DimensionIDs {
    let pairs: [(ContentHash, Int64)]

    init(_ result: borrowing QueryResult) throws(DatabaseError) {
        var pairs: [(ContentHash, Int64)] = []
        for row in 0..<result.rowCount {
            let hash = result.bytes(row: row, column: 0)
            guard hash.count == ContentHash.sizeBytes, let id = result.integer(row: row, column: 1),
                id > 0
            else {
                throw DatabaseError(
                    .unexpectedAnswer, .fatal, message: "a dimension has no usable id")
            }
            pairs.append((ContentHash(hash), id))
        }
        self.pairs = pairs
    }
}
