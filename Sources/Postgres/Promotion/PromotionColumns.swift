// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Rows

/// The columns of attributes in the database: which there are, and adding those that are missing.
///
/// Any number of daemons may do so at once, with writers running: an advisory lock lets them in one
/// by one, for as long as one tries, and the tables are locked for the moment that it takes to
/// change the catalogue.
/// Thread: any; the connection is the caller's, outside a transaction.
package enum PromotionColumns {
    /// How long to wait for locks. Every writer queues behind us meanwhile, hence short, and
    /// retried.
    static let lockTimeoutMs = 200

    /// The rows of the registry, in the order of the tables' columns; none where there is no
    /// registry yet.
    package static func registered(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [RegisteredColumn] {
        let table = try connection.query(
            "SELECT to_regclass('otel_attribute_columns') IS NOT NULL", deadlineNs: deadlineNs)
        guard table.bool(row: 0, column: 0) == true else { return [] }
        return try load(on: &connection, deadlineNs: deadlineNs)
    }

    /// Those of `wanted` that have no column, each once. Changes nothing, takes no lock.
    package static func pending(
        _ wanted: [WantedColumn], on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [WantedColumn] {
        missing(wanted, among: try registered(on: &connection, deadlineNs: deadlineNs))
    }

    /// Adds the columns that `wanted` lacks, and returns them.
    ///
    /// One transaction per table. Costs one query where nothing is missing. Errors: `transient`
    /// when a lock was not to be had until `deadlineNs`.
    @discardableResult
    package static func ensure(
        _ wanted: [WantedColumn], on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [RegisteredColumn] {
        var backoff = Backoff(minMs: 50, maxMs: 1_000)
        while try !pending(wanted, on: &connection, deadlineNs: deadlineNs).isEmpty {
            let added = try connection.alone(.attributeColumns, deadlineNs: deadlineNs) {
                connection throws(DatabaseError) in
                try add(wanted, on: &connection, deadlineNs: deadlineNs)
            }
            if let added { return added }
            // Another daemon is at it, and may want the same.
            guard Clock.monotonicNs < deadlineNs else {
                throw DatabaseError(
                    .timedOut, .transient,
                    message: "another session has been adding columns for too long")
            }
            if connection.stop.wait(delayMs: backoff.nextDelayMs()) { throw .stopped() }
        }
        return []
    }

    private static func add(
        _ wanted: [WantedColumn], on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [RegisteredColumn] {
        var added: [RegisteredColumn] = []
        for signal in PromotedSignal.allCases {
            let ofSignal = wanted.filter { $0.signal == signal }
            guard !ofSignal.isEmpty else { continue }
            added += try retrying(on: &connection, deadlineNs: deadlineNs) {
                connection throws(DatabaseError) in
                try add(ofSignal, of: signal, on: &connection, deadlineNs: deadlineNs)
            }
        }
        return added
    }

    private static func retrying<Value>(
        on connection: inout PGConnection, deadlineNs: UInt64,
        _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value {
        // While somebody reads for minutes, each attempt holds the writers up in vain.
        var backoff = Backoff(minMs: 50, maxMs: 4_000)
        while true {
            do throws(DatabaseError) {
                return try body(&connection)
            } catch {
                let isWorthRetry = error.disposition == .transient && connection.isUsable
                guard isWorthRetry, Clock.monotonicNs < deadlineNs else { throw error }
                if connection.stop.wait(delayMs: backoff.nextDelayMs()) { throw .stopped() }
            }
        }
    }

    private static func missing(
        _ wanted: [WantedColumn], among registered: [RegisteredColumn]
    ) -> [WantedColumn] {
        var known = Set(registered.lazy.filter(\.isUsable).map(\.wanted))
        return wanted.filter { known.insert($0).inserted }
    }
}

// The registry.
extension PromotionColumns {
    private static func load(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [RegisteredColumn] {
        let types = AttributeType.allCases.map { "('\($0.rawValue)', '\($0.sqlType)'::regtype)" }
        let tables = PromotedSignal.allCases.map {
            "('\($0.rawValue)', '\($0.table.name)'::regclass)"
        }
        let result = try connection.query(
            """
            SELECT signal, key, type, column_name,
                to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                attnum IS NOT NULL
            FROM otel_attribute_columns
            JOIN (VALUES \(types.joined(separator: ", "))) AS types (type, sql_type) USING (type)
            JOIN (VALUES \(tables.joined(separator: ", "))) AS facts (signal, fact) USING (signal)
            LEFT JOIN pg_attribute ON attrelid = fact AND attname = column_name
                AND NOT attisdropped AND atttypid = sql_type
            WHERE octet_length(key) BETWEEN 1 AND \(AttributeTable.keySizeBytesMax)
            ORDER BY signal, attnum, column_name
            """, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { row in
            guard let signal = PromotedSignal(rawValue: result.string(row: row, column: 0)),
                let type = AttributeType(rawValue: result.string(row: row, column: 2))
            else { return nil }
            return RegisteredColumn(
                signal: signal,
                column: PromotedColumn(
                    key: result.string(row: row, column: 1), type: type,
                    name: result.string(row: row, column: 3)),
                since: result.string(row: row, column: 4),
                isUsable: result.bool(row: row, column: 5) == true)
        }
    }

    /// Names that a column of `table` cannot have: those of its columns and of the system's.
    private static func takenNames(
        _ table: FactTable, on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<String> {
        var parameters = QueryParameters()
        parameters.append(table.name)
        let result = try connection.query(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass", parameters,
            deadlineNs: deadlineNs)
        return Set((0..<result.rowCount).map { result.string(row: $0, column: 0) })
    }
}

// Adding.
extension PromotionColumns {
    /// One transaction: looks again, adds what is missing, and registers it.
    private static func add(
        _ wanted: [WantedColumn], of signal: PromotedSignal,
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [RegisteredColumn] {
        let added = try connection.withTransaction(deadlineNs: deadlineNs) {
            connection throws(DatabaseError) in
            try connection.execute(
                """
                SET LOCAL lock_timeout = \(lockTimeoutMs)
                """, deadlineNs: deadlineNs)
            let registered = try load(on: &connection, deadlineNs: deadlineNs)
                .filter { $0.signal == signal }
            let names = try takenNames(signal.table, on: &connection, deadlineNs: deadlineNs)
            let new = try columns(
                for: missing(wanted, among: registered), registered: registered, tableNames: names,
                table: signal.table)
            guard !new.isEmpty else { return Set<String>() }
            try alter(signal.table, adding: new, on: &connection, deadlineNs: deadlineNs)
            try register(new, of: signal, on: &connection, deadlineNs: deadlineNs)
            return Set(new.map(\.name))
        }
        guard !added.isEmpty else { return [] }
        return try load(on: &connection, deadlineNs: deadlineNs).filter {
            $0.signal == signal && added.contains($0.column.name)
        }
    }

    /// Columns with names for what is missing, in the order in which they are added. A column that
    /// the registry names and the table has lost gets its name back.
    static func columns(
        for missing: [WantedColumn], registered: [RegisteredColumn], tableNames: Set<String>,
        table: FactTable
    ) throws(DatabaseError) -> [PromotedColumn] {
        guard registered.count + missing.count <= AttributePlan.columnCountMax else {
            throw DatabaseError(
                .badSettings, .fatal,
                message: "\(table.name) would have more than \(AttributePlan.columnCountMax)"
                    + " columns for attributes")
        }
        var taken = tableNames.union(registered.map(\.column.name))
        var keys = Set(registered.map(\.column.key))
        var columns: [PromotedColumn] = []
        for attribute in missing {
            let isFurtherType = !keys.insert(attribute.key).inserted
            let lost = registered.first { $0.wanted == attribute }
            if let lost, tableNames.contains(lost.column.name) {
                throw DatabaseError(
                    .badSettings, .fatal,
                    message: "column \(lost.column.name) of \(table.name) is not of type"
                        + " \(attribute.type.sqlType), as otel_attribute_columns says")
            }
            let name =
                lost?.column.name
                ?? ColumnName.name(
                    key: attribute.key, type: attribute.type, isFurtherType: isFurtherType,
                    taken: taken)
            taken.insert(name)
            columns.append(PromotedColumn(key: attribute.key, type: attribute.type, name: name))
        }
        let order = columns.enumerated().sorted {
            ($0.element.type.alignmentOrder, $0.offset) < (
                $1.element.type.alignmentOrder, $1.offset
            )
        }
        return order.map(\.element)
    }

    /// Partitions inherit the columns. The catalogue alone changes: no row is written again.
    private static func alter(
        _ table: FactTable, adding columns: [PromotedColumn], on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) {
        let actions = columns.map {
            "ADD COLUMN IF NOT EXISTS \($0.quotedName) \($0.type.sqlType)"
        }
        let comments = columns.map { column in
            let text = "Attribute \(column.key) where it is of type \(column.type.rawValue)"
            return "COMMENT ON COLUMN \(table.name).\(column.quotedName) IS "
                + SQLText.literal(text)
        }
        try connection.execute(
            "ALTER TABLE \(table.name) \(actions.joined(separator: ", "));"
                + comments.joined(separator: ";"), deadlineNs: deadlineNs)
    }

    private static func register(
        _ columns: [PromotedColumn], of signal: PromotedSignal, on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) {
        var keys = ArrayParameter(.text)
        var types = ArrayParameter(.text)
        var names = ArrayParameter(.text)
        for column in columns {
            keys.append(column.key)
            types.append(column.type.rawValue)
            names.append(column.name)
        }
        var parameters = QueryParameters()
        parameters.append(signal.rawValue)
        for array in [keys, types, names] { parameters.append(array) }
        _ = try connection.query(
            """
            INSERT INTO otel_attribute_columns (signal, key, type, column_name)
            SELECT $1, key, type, name
            FROM unnest($2::text[], $3::text[], $4::text[]) AS new (key, type, name)
            ON CONFLICT (signal, key, type) DO NOTHING
            """, parameters, deadlineNs: deadlineNs)
    }
}
