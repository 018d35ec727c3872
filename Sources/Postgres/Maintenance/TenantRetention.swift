// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Copy

/// Deletes the rows of tenants whose time is shorter than that of their signal.
///
/// Rows of all tenants share partitions, so these are deleted one small batch after the other, with
/// pauses. The file system gets nothing back until the partition goes; the pages are free for rows
/// that come late. Thread: any.
package struct TenantRetention: Sendable {
    /// Unix nanoseconds.
    package let nowUnixNs: Int64
    /// The resource attribute that names the tenant (`retention.tenant_attribute`).
    package let attribute: String
    /// Rows per transaction.
    package var batchRowCount: Int64 = 2_000
    /// Between transactions.
    package var pauseMs = 50

    /// Resources whose rows one statement looks for.
    private static let resourcesPerStatementMax = 1_000

    package init(nowUnixNs: Int64, attribute: String) {
        self.nowUnixNs = nowUnixNs
        self.attribute = attribute
    }

    /// Rows of one tenant that were deleted.
    package struct Deletion: Sendable, Equatable {
        package let signal: Signal
        package let tenant: String
        package let rowCount: Int64
    }

    /// Deletes what has expired, but begins no batch after `untilNs`; nil when another session is
    /// at it.
    ///
    /// What is left then is for the next call, which finds it by index.
    package func run(
        on connection: inout PGConnection, untilNs: UInt64
    ) throws(DatabaseError) -> [Deletion]? {
        try connection.withJob(.retention, deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            let policy = try connection.loadRetentionPolicy(deadlineNs: stepDeadlineNs)
            guard !policy.tenantRules.isEmpty else { return [] }
            let partitions = try connection.listPartitions(deadlineNs: stepDeadlineNs)
            try connection.execute(
                "SET lock_timeout = \(MaintenanceLimits.lockTimeoutMs)", deadlineNs: stepDeadlineNs)
            var deletions: [Deletion] = []
            for signal in Signal.allCases {
                for rule in policy.tenants(signal) {
                    let deletion = try delete(
                        rule, of: signal, from: partitions.filter { $0.table.signal == signal },
                        on: &connection, untilNs: untilNs)
                    if deletion.rowCount > 0 { deletions.append(deletion) }
                }
            }
            return deletions
        }
    }

    private func delete(
        _ rule: TenantRule, of signal: Signal, from partitions: [StoredPartition],
        on connection: inout PGConnection, untilNs: UInt64
    ) throws(DatabaseError) -> Deletion {
        let cutOffNs = RetentionRule(days: rule.days).cutOffNs(nowUnixNs: nowUnixNs) ?? .min
        var entry = MaintenanceEntry(.deleteRows, signal.policyName, signal)
        entry.tenant = rule.tenant
        entry.reason = RetentionRule.ageText(days: rule.days)
        let resources = try resources(of: rule.tenant, on: &connection)
        var rowCount: Int64 = 0
        for partition in partitions
        where partition.isAttached && partition.range.fromNs < cutOffNs {
            for some in resources {
                rowCount += try delete(
                    some, before: cutOffNs, from: partition, on: &connection, untilNs: untilNs)
            }
        }
        if rowCount > 0 {
            entry.rowCount = rowCount
            try connection.append(entry, deadlineNs: stepDeadlineNs)
        }
        return Deletion(signal: signal, tenant: rule.tenant, rowCount: rowCount)
    }

    /// The ids of the tenant's resources, in lists of bearable length. An integer counts as its
    /// digits.
    private func resources(
        of tenant: String, on connection: inout PGConnection
    ) throws(DatabaseError) -> [ArrayParameter] {
        var parameters = QueryParameters()
        parameters.append(attribute)
        parameters.append(tenant)
        let result = try connection.query(
            """
            SELECT resource_id FROM otel_resource_attrs_string JOIN attribute_keys USING (key_id)
            WHERE key = $1 AND left(value, 200) = $2 AND value = $2
            UNION ALL
            SELECT resource_id FROM otel_resource_attrs_int JOIN attribute_keys USING (key_id)
            WHERE key = $1 AND value::text = $2
            """, parameters, deadlineNs: stepDeadlineNs)
        var lists: [ArrayParameter] = []
        for row in 0..<result.rowCount {
            if row % TenantRetention.resourcesPerStatementMax == 0 {
                lists.append(ArrayParameter(.int4))
            }
            let id = Int32(truncatingIfNeeded: result.integer(row: row, column: 0) ?? 0)
            lists[lists.count - 1].append(id)
        }
        return lists
    }

    /// Batches until one is not full.
    private func delete(
        _ resources: ArrayParameter, before cutOffNs: Int64, from partition: StoredPartition,
        on connection: inout PGConnection, untilNs: UInt64
    ) throws(DatabaseError) -> Int64 {
        var parameters = QueryParameters([resources])
        parameters.append(cutOffNs)
        parameters.append(batchRowCount)
        let statement = TenantRetention.statement(partition)
        var deletedCount: Int64 = 0
        while Clock.monotonicNs < untilNs {
            let count: Int
            do throws(DatabaseError) {
                count = try connection.query(
                    statement, parameters, deadlineNs: stepDeadlineNs
                ).affectedRowCount
            } catch {
                // Somebody wants the table for himself: next time.
                guard error.disposition == .transient, connection.isUsable else { throw error }
                break
            }
            deletedCount += Int64(count)
            if count < batchRowCount { break }
            if connection.stop.wait(delayMs: pauseMs) { throw .stopped() }
        }
        return deletedCount
    }

    /// By physical place, so that the limit holds; rows never move, they are only deleted.
    private static func statement(_ partition: StoredPartition) -> String {
        let (name, time) = (partition.sqlName, partition.table.timeColumn)
        let series =
            partition.table.signal == .metrics
            ? "JOIN otel_metric_series_dim AS series USING (series_id)" : ""
        return """
            DELETE FROM ONLY \(name) WHERE ctid = ANY (ARRAY(
                SELECT facts.ctid FROM ONLY \(name) AS facts \(series)
                WHERE resource_id = ANY ($1) AND facts.\(time) < $2 LIMIT $3))
            """
    }

    private var stepDeadlineNs: UInt64 { Deadline.inMs(MaintenanceLimits.stepTimeoutMs) }
}
