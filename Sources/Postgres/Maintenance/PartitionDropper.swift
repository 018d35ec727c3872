// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy

/// Takes partitions out of their tables and drops them, without making anybody wait who reads or
/// writes.
///
/// `DROP TABLE` of a partition takes ACCESS EXCLUSIVE on the whole table: it would wait for the
/// longest query, and everybody else behind it. So a partition is marked, detached CONCURRENTLY
/// (which locks nobody out, but cannot run in a transaction, and may be cut short at any time), and
/// dropped as a table of its own. Each step can be taken up where the last attempt left it.
///
/// Thread: any. The caller holds `MaintenanceJob.retention`, outside a transaction.
package struct PartitionDropper: Sendable {
    /// How long DETACH CONCURRENTLY may wait for transactions that still use the table. It holds no
    /// lock meanwhile, so nobody waits for it.
    package var detachTimeoutMs = 10_000

    package init() {}

    /// Returns the bytes that the file system got back; nil when the partition was gone already.
    ///
    /// Errors: `transient` when locks were not to be had until `retryUntilNs`, after which nothing
    /// is tried again. What was done by then is taken up by the next call, or by `finish`.
    package func drop(
        _ expiry: Expiry, on connection: inout PGConnection, retryUntilNs: UInt64
    ) throws(DatabaseError) -> Int64? {
        let startNs = Clock.monotonicNs
        do throws(DatabaseError) {
            if expiry.partition.state != .detached {
                try mark(expiry.partition, on: &connection, retryUntilNs: retryUntilNs)
                try detach(expiry.partition, on: &connection, retryUntilNs: retryUntilNs)
            }
            return try dropDetached(
                expiry, startNs: startNs, on: &connection, retryUntilNs: retryUntilNs)
        } catch {
            guard error.sqlState == PartitionDropper.undefinedTable else { throw error }
            return nil
        }
    }

    private static let undefinedTable = "42P01"

    /// What became of a drop or a DETACH that was cut short.
    package struct Finished: Sendable {
        package let partition: StoredPartition
        /// Nil where a DETACH was completed that somebody else had begun: the table stays.
        package let freedBytes: Int64?
    }

    /// Completes what was cut short: the pending DETACH of anybody (it would block all others), or
    /// a drop of ours. Nil when there is nothing left to do.
    package func finish(
        _ partition: StoredPartition, on connection: inout PGConnection, retryUntilNs: UInt64
    ) throws(DatabaseError) -> Finished? {
        precondition(!partition.isAttached)
        guard !partition.isMarked else {
            let expiry = Expiry(partition: partition, reason: .unfinished)
            let freedBytes = try drop(expiry, on: &connection, retryUntilNs: retryUntilNs)
            return freedBytes.map { Finished(partition: partition, freedBytes: $0) }
        }
        var entry = MaintenanceEntry(.finishDetach, partition.name, partition.table.signal)
        entry.range = partition.range
        try detach(partition, on: &connection, retryUntilNs: retryUntilNs)
        try connection.append(entry, deadlineNs: stepDeadlineNs)
        return Finished(partition: partition, freedBytes: nil)
    }

    /// Takes the mark off a partition that stays after all, so that nobody who detaches it later
    /// loses it. Where a lock is in the way, the next round will do.
    package func removeMark(
        of partition: StoredPartition, on connection: inout PGConnection
    ) throws(DatabaseError) {
        do throws(DatabaseError) {
            try comment(on: partition, "NULL", on: &connection, retryUntilNs: 0)
        } catch {
            guard error.disposition == .transient, connection.isUsable else { throw error }
        }
    }

    // MARK: Steps

    /// Says on the table itself that it is to go. The lock that this takes is the one that DETACH
    /// needs, so what stands in its way (VACUUM, an index under way) is waited for here, and
    /// briefly.
    private func mark(
        _ partition: StoredPartition, on connection: inout PGConnection, retryUntilNs: UInt64
    ) throws(DatabaseError) {
        let text = "'\(PartitionMark.text(partition))'"
        try comment(on: partition, text, on: &connection, retryUntilNs: retryUntilNs)
    }

    private func comment(
        on partition: StoredPartition, _ literal: String, on connection: inout PGConnection,
        retryUntilNs: UInt64
    ) throws(DatabaseError) {
        try connection.retryingLocks(untilNs: retryUntilNs) { connection throws(DatabaseError) in
            try connection.withTransaction(deadlineNs: stepDeadlineNs) {
                connection throws(DatabaseError) in
                try connection.execute(
                    """
                    SET LOCAL lock_timeout = \(MaintenanceLimits.lockTimeoutMs);
                    COMMENT ON TABLE \(partition.sqlName) IS \(literal)
                    """, deadlineNs: stepDeadlineNs)
            }
        }
    }

    private enum Attachment { case attached, pending, none }

    private func detach(
        _ partition: StoredPartition, on connection: inout PGConnection, retryUntilNs: UInt64
    ) throws(DatabaseError) {
        try connection.retryingLocks(untilNs: retryUntilNs) { connection throws(DatabaseError) in
            switch try attachment(of: partition, on: &connection) {
            case .none: return
            case .attached:
                try detach(
                    partition, "CONCURRENTLY", timeoutMs: detachTimeoutMs, on: &connection)
            case .pending:
                try detach(
                    partition, "FINALIZE", timeoutMs: MaintenanceLimits.finalizeTimeoutMs,
                    on: &connection)
            }
        }
    }

    /// Outside a transaction, hence the setting for the session.
    private func detach(
        _ partition: StoredPartition, _ how: String, timeoutMs: Int,
        on connection: inout PGConnection
    ) throws(DatabaseError) {
        // The server gives up first, so that the session lives on.
        let deadlineNs = Deadline.inMs(MaintenanceLimits.stepTimeoutMs + 3 * timeoutMs)
        try connection.execute("SET lock_timeout = \(timeoutMs)", deadlineNs: deadlineNs)
        try connection.execute(
            "ALTER TABLE \(partition.table.name) DETACH PARTITION \(partition.sqlName) \(how)",
            deadlineNs: deadlineNs)
    }

    private func attachment(
        of partition: StoredPartition, on connection: inout PGConnection
    ) throws(DatabaseError) -> Attachment {
        var parameters = QueryParameters()
        parameters.append(partition.table.name)
        parameters.append(partition.sqlName)
        let result = try connection.query(
            """
            SELECT inhdetachpending FROM pg_inherits
            WHERE inhparent = $1::regclass AND inhrelid = $2::regclass
            """, parameters, deadlineNs: stepDeadlineNs)
        guard result.rowCount == 1 else { return .none }
        return result.bool(row: 0, column: 0) == true ? .pending : .attached
    }

    private func dropDetached(
        _ expiry: Expiry, startNs: UInt64, on connection: inout PGConnection, retryUntilNs: UInt64
    ) throws(DatabaseError) -> Int64 {
        let partition = expiry.partition
        return try connection.retryingLocks(untilNs: retryUntilNs) {
            connection throws(DatabaseError) in
            try connection.withTransaction(deadlineNs: stepDeadlineNs) {
                connection throws(DatabaseError) in
                try connection.execute(
                    """
                    SET LOCAL lock_timeout = \(MaintenanceLimits.lockTimeoutMs);
                    LOCK TABLE \(partition.sqlName) IN ACCESS EXCLUSIVE MODE
                    """, deadlineNs: stepDeadlineNs)
                var entry = MaintenanceEntry(
                    .dropPartition, partition.name, partition.table.signal)
                entry.startNs = startNs
                entry.reason = expiry.reason.description
                entry.range = partition.range
                entry.rowCount = partition.rowCountEstimate
                let freedBytes = try size(of: partition, on: &connection)
                entry.freedBytes = freedBytes
                try connection.execute(
                    "DROP TABLE \(partition.sqlName)", deadlineNs: stepDeadlineNs)
                try connection.append(entry, deadlineNs: stepDeadlineNs)
                return freedBytes
            }
        }
    }

    private func size(
        of partition: StoredPartition, on connection: inout PGConnection
    ) throws(DatabaseError) -> Int64 {
        var parameters = QueryParameters()
        parameters.append(partition.sqlName)
        let result = try connection.query(
            "SELECT pg_total_relation_size($1::regclass)", parameters, deadlineNs: stepDeadlineNs)
        return result.integer(row: 0, column: 0) ?? 0
    }

    /// For one statement, whose waiting for locks the server ends much sooner.
    private var stepDeadlineNs: UInt64 { Deadline.inMs(MaintenanceLimits.stepTimeoutMs) }
}
