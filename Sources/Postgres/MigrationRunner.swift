// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Brings a database to the schema of this binary, forward only.
///
/// What was applied is recorded in `schema_migrations` with its SHA-256, computed by the server. An
/// advisory lock makes runners wait for one another. Each migration is one transaction together
/// with its record.
/// Thread: any; the connection is the caller's, outside a transaction.
package struct MigrationRunner: Sendable {
    private let migrations: [Migration]

    /// PostgreSQL 14 brought what partitions are looked up by (`inhdetachpending`).
    static let serverVersionMin = 140_000

    /// `migrations` are numbered 1, 2, 3, ...
    package init(migrations: [Migration] = Migration.embedded) {
        precondition(migrations.map(\.version) == (0..<migrations.count).map { Int32($0 + 1) })
        self.migrations = migrations
    }

    /// The migrations that the database lacks. Changes nothing; takes no lock.
    package func pending(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(MigrationError) -> [Migration] {
        let applied = try asMigrationError { () throws(DatabaseError) in
            let checksums = try checksums(&connection, deadlineNs)
            return try (checksums, appliedRecords(&connection, deadlineNs))
        }
        return try missing(checksums: applied.0, records: applied.1)
    }

    /// Applies the migrations that the database lacks and returns them.
    ///
    /// Waits for other runners until `deadlineNs`. Errors: what was applied before the failing
    /// migration stays. `onApplied` is told after each commit, with the time it took.
    @discardableResult
    package func run(
        on connection: inout PGConnection, deadlineNs: UInt64,
        onApplied: (Migration, _ durationMs: Int64) -> Void = { _, _ in }
    ) throws(MigrationError) -> [Migration] {
        try checkServer(connection)
        try asMigrationError { () throws(DatabaseError) in
            // An index may take longer than any statement of the data path.
            try connection.execute("SET statement_timeout = 0", deadlineNs: deadlineNs)
            try connection.execute(lockCall("pg_advisory_lock"), deadlineNs: deadlineNs)
        }
        defer { release(&connection, deadlineNs) }
        try asMigrationError { () throws(DatabaseError) in
            try connection.execute(MigrationRunner.recordTable, deadlineNs: deadlineNs)
        }
        let wanted = try pending(on: &connection, deadlineNs: deadlineNs)
        for migration in wanted {
            let startNs = Clock.monotonicNs
            try apply(migration, on: &connection, startNs: startNs, deadlineNs: deadlineNs)
            onApplied(migration, Int64((Clock.monotonicNs - startNs) / 1_000_000))
        }
        return wanted
    }
}

extension MigrationRunner {
    private struct Record {
        let version: Int32
        let checksum: String
    }

    private static let recordTable = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version integer PRIMARY KEY,
            name text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(),
            duration_ms bigint NOT NULL
        );
        COMMENT ON TABLE schema_migrations IS
            'Versions of the schema that were applied; checksum is the SHA-256 of the file'
        """

    private func checkServer(_ connection: borrowing PGConnection) throws(MigrationError) {
        guard connection.serverVersion >= MigrationRunner.serverVersionMin else {
            throw .unsuitableServer("PostgreSQL 14 or newer is needed")
        }
        let encoding = connection.serverParameter("server_encoding") ?? "unknown"
        guard encoding == "UTF8" else {
            throw .unsuitableServer("the database has encoding \(encoding); UTF8 is needed")
        }
    }

    private func lockCall(_ function: String) -> String {
        "SELECT \(function)\(AdvisoryLock.migrations.key)"
    }

    /// Gives back the lock and the statement timeout. A connection that cannot do so is of no more
    /// use, and its end gives the lock back too.
    private func release(_ connection: inout PGConnection, _ deadlineNs: UInt64) {
        guard connection.isUsable else { return }
        let timeoutMs = connection.settings.statementTimeoutMs
        do throws(DatabaseError) {
            try connection.execute(
                lockCall("pg_advisory_unlock") + "; SET statement_timeout = \(timeoutMs)",
                deadlineNs: max(deadlineNs, Deadline.inMs(PGConnection.rollbackTimeoutMs)))
        } catch {
            connection.abandon()
        }
    }

    /// The SHA-256 of each migration of this binary, as the server computes it.
    private func checksums(
        _ connection: inout PGConnection, _ deadlineNs: UInt64
    ) throws(DatabaseError) -> [String] {
        var files = ArrayParameter(.bytea)
        for migration in migrations { files.append([UInt8](migration.sql.utf8)) }
        var parameters = QueryParameters()
        parameters.append(files)
        let result = try connection.query(
            """
            SELECT encode(sha256(file), 'hex')
            FROM unnest($1::bytea[]) WITH ORDINALITY AS files (file, position) ORDER BY position
            """, parameters, deadlineNs: deadlineNs)
        return (0..<result.rowCount).map { result.string(row: $0, column: 0) }
    }

    private func appliedRecords(
        _ connection: inout PGConnection, _ deadlineNs: UInt64
    ) throws(DatabaseError) -> [Record] {
        let table = try connection.query(
            "SELECT to_regclass('schema_migrations') IS NOT NULL", deadlineNs: deadlineNs)
        guard table.bool(row: 0, column: 0) == true else { return [] }
        let result = try connection.query(
            "SELECT version, checksum FROM schema_migrations ORDER BY version",
            deadlineNs: deadlineNs)
        return (0..<result.rowCount).map { row in
            Record(
                version: Int32(truncatingIfNeeded: result.integer(row: row, column: 0) ?? 0),
                checksum: result.string(row: row, column: 1))
        }
    }

    private func missing(
        checksums: [String], records: [Record]
    ) throws(MigrationError) -> [Migration] {
        let binaryVersion = Int32(migrations.count)
        if let newest = records.last, newest.version > binaryVersion {
            throw .databaseIsNewer(databaseVersion: newest.version, binaryVersion: binaryVersion)
        }
        for (index, record) in records.enumerated() {
            guard record.version == Int32(index + 1) else { throw .gap(version: Int32(index + 1)) }
            guard record.checksum == checksums[index] else {
                throw .changed(file: migrations[index].fileName)
            }
        }
        return Array(migrations.dropFirst(records.count))
    }

    private func apply(
        _ migration: Migration, on connection: inout PGConnection, startNs: UInt64,
        deadlineNs: UInt64
    ) throws(MigrationError) {
        do throws(DatabaseError) {
            try connection.withTransaction(deadlineNs: deadlineNs) {
                connection throws(DatabaseError) in
                // BEGIN goes alone, so that positions in error reports count from the file's start.
                try connection.execute("", deadlineNs: deadlineNs)
                try connection.execute(migration.sql, deadlineNs: deadlineNs)
                guard connection.isServerInTransaction else {
                    throw DatabaseError(
                        .rejectedByServer, .fatal,
                        message: "it ends the transaction that it runs in")
                }
                try record(migration, on: &connection, startNs: startNs, deadlineNs: deadlineNs)
            }
        } catch {
            let line = error.statementPosition.map {
                MigrationRunner.line(at: $0, in: migration.sql)
            }
            throw .failed(file: migration.fileName, line: line, error)
        }
    }

    private func record(
        _ migration: Migration, on connection: inout PGConnection, startNs: UInt64,
        deadlineNs: UInt64
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(migration.version)
        parameters.append(migration.name)
        parameters.append(migration.sql)
        parameters.append(Int64((Clock.monotonicNs - startNs) / 1_000_000))
        _ = try connection.query(
            """
            INSERT INTO schema_migrations (version, name, checksum, duration_ms)
            VALUES ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'), $4)
            """, parameters, deadlineNs: deadlineNs)
    }

    /// The line, from 1, of the character `position`, from 1.
    static func line(at position: Int, in sql: String) -> Int {
        1 + sql.unicodeScalars.prefix(max(0, position - 1)).count { $0 == "\n" }
    }

    private func asMigrationError<Value>(
        _ body: () throws(DatabaseError) -> Value
    ) throws(MigrationError) -> Value {
        do throws(DatabaseError) { return try body() } catch { throw .database(error) }
    }
}
