// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What one question to the server tells of its fitness to be written to.
package struct DatabaseLook: Sendable, Equatable {
    /// As 150020 for 15.20.
    package let serverVersion: Int
    /// A standby, or a server whose transactions are read-only unless they ask to be otherwise.
    package let isReadOnly: Bool
    package let isStandby: Bool
    /// The last migration that is applied; 0 for none.
    package let schemaVersion: Int
    /// Somebody holds the lock of `MigrationRunner`.
    package let isMigrating: Bool
}

extension PGConnection {
    /// Looks, in one round trip. Takes no lock that anybody waits for, and leaves none.
    ///
    /// Errors: as of any statement; 42P01 where there is no schema of ours at all.
    package mutating func look(deadlineNs: UInt64) throws(DatabaseError) -> DatabaseLook {
        let result = try query(
            """
            SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
                coalesce((SELECT max(version) FROM schema_migrations), 0)::int8,
                EXISTS (
                    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
                    AND database = (
                        SELECT oid FROM pg_database WHERE datname = current_database())
                    AND classid = \(AdvisoryLock.group)
                    AND objid = \(AdvisoryLock.migrations.rawValue))
            """, deadlineNs: deadlineNs)
        let isStandby = result.bool(row: 0, column: 0) ?? false
        return DatabaseLook(
            serverVersion: serverVersion,
            isReadOnly: isStandby || (result.bool(row: 0, column: 1) ?? false),
            isStandby: isStandby, schemaVersion: Int(result.integer(row: 0, column: 2) ?? 0),
            isMigrating: result.bool(row: 0, column: 3) ?? false)
    }

    /// How far from `nowUnixNs` on `table` takes rows without a gap, as its partitions are now.
    package mutating func partitionsAheadNs(
        table: String, nowUnixNs: Int64, deadlineNs: UInt64
    ) throws(DatabaseError) -> UInt64 {
        let ranges = try PartitionMaker.load(table, on: &self, deadlineNs: deadlineNs)
        let wanted = PartitionRange(fromNs: nowUnixNs, untilNs: .max)
        let gapNs = ranges.gaps(in: wanted).first?.fromNs ?? .max
        return UInt64(gapNs - nowUnixNs)
    }
}

extension Migration {
    /// The version of the schema that this binary needs.
    package static var newestVersion: Int { embedded.count }
}
