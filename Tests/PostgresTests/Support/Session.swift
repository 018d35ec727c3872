// SPDX-License-Identifier: Apache-2.0
import Base

@testable import Postgres

/// A connection as a reference: `#expect` cannot look into what cannot be copied.
final class Session {
    var connection: PGConnection
    /// Held, because a scratch database goes with its last reference.
    private let database: ScratchDatabase?

    init(_ connection: consuming PGConnection, database: ScratchDatabase? = nil) {
        self.connection = connection
        self.database = database
    }

    convenience init(
        _ settings: DatabaseSettings, stop: StopSignal = StopSignal(),
        database: ScratchDatabase? = nil
    ) throws {
        let connection = try PGConnection.connect(settings, stop: stop, deadlineNs: farDeadlineNs)
        self.init(connection, database: database)
    }

    var isUsable: Bool { connection.isUsable }
    var isInTransaction: Bool { connection.isInTransaction }

    func checkIdle() -> Bool { connection.checkIdle() }

    func run(_ sql: String, deadlineNs: UInt64? = nil) throws {
        try connection.execute(sql, deadlineNs: deadlineNs ?? farDeadlineNs)
    }

    func copy(_ source: CopySource, chunkSizeBytes: Int = CopyLimits.chunkSizeBytes) throws {
        try connection.copyIn(
            source.statement, table: source.table, chunks: source.chunks,
            chunkSizeBytes: chunkSizeBytes, deadlineNs: farDeadlineNs)
    }

    /// The one number that `sql` selects.
    func integer(_ sql: String) throws -> Int64 {
        let result = try connection.query(sql, deadlineNs: farDeadlineNs)
        return result.integer(row: 0, column: 0) ?? .min
    }

    /// The one text that `sql` selects.
    func text(_ sql: String) throws -> String {
        let result = try connection.query(sql, deadlineNs: farDeadlineNs)
        return result.string(row: 0, column: 0)
    }

    /// The first column of what `sql` selects, which is of type text.
    func texts(_ sql: String) throws -> [String] {
        let result = try connection.query(sql, deadlineNs: farDeadlineNs)
        return (0..<result.rowCount).map { result.string(row: $0, column: 0) }
    }
}
