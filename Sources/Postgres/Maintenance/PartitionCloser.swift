// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Closes partitions whose time is over: builds the late index of each, and locks nobody out.
///
/// What is done stands in the catalogue, so an attempt that was cut short is taken up by the next
/// one; the invalid index that it left is dropped first. Thread: any.
package struct PartitionCloser: Sendable {
    /// Unix nanoseconds.
    package let nowUnixNs: Int64
    /// How long after its last moment a partition is closed. Rows that come later are still taken,
    /// and cost a little more.
    package let afterNs: Int64

    package init(nowUnixNs: Int64, afterNs: Int64) {
        precondition(afterNs >= 0)
        self.nowUnixNs = nowUnixNs
        self.afterNs = afterNs
    }

    /// One index that was built.
    package struct Built: Sendable {
        package let partition: StoredPartition
        package let index: LateIndex
        package let durationMs: Int64
    }

    /// Of `partitions`, those that are to be closed, newest first: they are looked at most.
    package func due(_ partitions: [StoredPartition]) -> [StoredPartition] {
        let (latestNs, isTooEarly) = nowUnixNs.subtractingReportingOverflow(afterNs)
        guard !isTooEarly else { return [] }
        return partitions.filter { $0.state == .live && $0.range.untilNs <= latestNs }
            .sorted { $0.range.untilNs > $1.range.untilNs }
    }

    /// Closes what is due and not about to be dropped; false when another session is at it.
    ///
    /// Cost: reads each partition once; takes as long as that takes, and as the oldest
    /// transaction of the database. Errors: the first one, after the other partitions were tried.
    @discardableResult
    package func run(
        on connection: inout PGConnection, onBuilt: (Built) -> Void
    ) throws(DatabaseError) -> Bool {
        let done: Void? = try connection.withJob(.closing, deadlineNs: shortDeadlineNs) {
            connection throws(DatabaseError) in
            let policy = try connection.loadRetentionPolicy(deadlineNs: shortDeadlineNs)
            let partitions = try connection.listPartitions(deadlineNs: shortDeadlineNs)
            let expired = Set(
                RetentionPlan.expired(partitions, policy: policy, nowUnixNs: nowUnixNs)
                    .map(\.partition.sqlName))
            var firstError: DatabaseError?
            for partition in due(partitions) where !expired.contains(partition.sqlName) {
                do throws(DatabaseError) {
                    try close(partition, on: &connection, onBuilt: onBuilt)
                } catch {
                    guard connection.isUsable, error.disposition != .stopped else { throw error }
                    firstError = firstError ?? error
                }
            }
            if let firstError { throw firstError }
        }
        return done != nil
    }

    private func close(
        _ partition: StoredPartition, on connection: inout PGConnection, onBuilt: (Built) -> Void
    ) throws(DatabaseError) {
        let index = partition.table.lateIndex
        let found = try find(index, of: partition, on: &connection)
        for name in found.invalidNames {
            try dropInvalid(name, of: partition, on: &connection)
        }
        guard !found.isBuilt else { return }
        var entry = MaintenanceEntry(
            .buildIndex, "\(partition.name) \(index.definition)", partition.table.signal)
        entry.table = partition.name
        try connection.execute("SET lock_timeout = 0", deadlineNs: shortDeadlineNs)
        // Waits for old transactions without holding anybody up; the stop signal ends it.
        try connection.execute(
            "CREATE INDEX CONCURRENTLY ON \(partition.sqlName) \(index.definition)",
            deadlineNs: .max)
        let durationMs = Int64((Clock.monotonicNs - entry.startNs) / 1_000_000)
        try connection.append(entry, deadlineNs: shortDeadlineNs)
        onBuilt(Built(partition: partition, index: index, durationMs: durationMs))
    }

    private func dropInvalid(
        _ sqlName: String, of partition: StoredPartition, on connection: inout PGConnection
    ) throws(DatabaseError) {
        var entry = MaintenanceEntry(.dropIndex, sqlName, partition.table.signal)
        entry.table = partition.name
        entry.reason = "its making was cut short"
        // Whoever is still making it keeps it: the wait for his lock ends soon.
        try connection.execute(
            "SET lock_timeout = \(MaintenanceLimits.finalizeTimeoutMs)",
            deadlineNs: shortDeadlineNs)
        try connection.execute(
            "DROP INDEX CONCURRENTLY IF EXISTS \(sqlName)", deadlineNs: .max)
        try connection.append(entry, deadlineNs: shortDeadlineNs)
    }

    private func find(
        _ index: LateIndex, of partition: StoredPartition, on connection: inout PGConnection
    ) throws(DatabaseError) -> (isBuilt: Bool, invalidNames: [String]) {
        var parameters = QueryParameters()
        parameters.append(partition.sqlName)
        parameters.append(index.method)
        parameters.append(index.column)
        let result = try connection.query(
            """
            SELECT indisvalid, indexrelid::regclass::text FROM pg_index
            JOIN pg_class ON pg_class.oid = indexrelid
            JOIN pg_am ON pg_am.oid = relam AND amname = $2
            JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] AND attname = $3
            WHERE indrelid = $1::regclass AND indpred IS NULL
            """, parameters, deadlineNs: shortDeadlineNs)
        let rows = 0..<result.rowCount
        return (
            rows.contains { result.bool(row: $0, column: 0) == true },
            rows.filter { result.bool(row: $0, column: 0) == false }
                .map { result.string(row: $0, column: 1) }
        )
    }

    private var shortDeadlineNs: UInt64 { Deadline.inMs(MaintenanceLimits.stepTimeoutMs) }
}
