// SPDX-License-Identifier: Apache-2.0
internal import Base

/// One line of `otel_maintenance_log`.
struct MaintenanceEntry: Sendable {
    enum Action: String, Sendable {
        case dropPartition = "drop_partition"
        case finishDetach = "finish_detach"
        case buildIndex = "build_index"
        case dropIndex = "drop_index"
        case deleteRows = "delete_rows"
        case setPolicy = "set_policy"
        case purgeDeadLetters = "purge_dead_letters"
    }

    let action: Action
    let object: String
    /// Nil for what belongs to all.
    let signal: Signal?
    var reason: String?
    var range: PartitionRange?
    var tenant: String?
    var rowCount: Int64?
    /// Of what was deleted without making the table smaller.
    var sizeBytes: Int64?
    /// The table that an index belongs to.
    var table: String?
    var rule: RetentionRule?
    var freedBytes: Int64?
    /// Monotonic time at which the action began.
    var startNs: UInt64 = Clock.monotonicNs

    init(_ action: Action, _ object: String, _ signal: Signal?) {
        self.action = action
        self.object = object
        self.signal = signal
    }

    static func policy(
        _ signal: Signal, tenant: String, _ rule: RetentionRule
    ) -> MaintenanceEntry {
        var entry = MaintenanceEntry(.setPolicy, signal.policyName, signal)
        entry.tenant = tenant.isEmpty ? nil : tenant
        entry.rule = rule
        return entry
    }
}

extension PGConnection {
    /// Writes down what was done; in the transaction that does it, where there is one.
    mutating func append(_ entry: MaintenanceEntry, deadlineNs: UInt64) throws(DatabaseError) {
        let durationMs = (Clock.monotonicNs - min(entry.startNs, Clock.monotonicNs)) / 1_000_000
        var parameters = QueryParameters()
        parameters.append(entry.action.rawValue)
        parameters.append(entry.object)
        parameters.append(entry.signal?.policyName)
        parameters.append(entry.freedBytes)
        parameters.append(Int32(clamping: durationMs))
        parameters.append(entry.reason)
        parameters.append(entry.range?.fromNs)
        parameters.append(entry.range?.untilNs)
        parameters.append(entry.tenant)
        parameters.append(entry.rowCount)
        parameters.append(entry.table)
        parameters.append(entry.rule?.days.map { Int64($0) })
        parameters.append(entry.rule?.sizeBytesMax ?? entry.sizeBytes)
        _ = try query(
            """
            INSERT INTO otel_maintenance_log
                (action, object, signal, bytes_freed, duration_ms, detail)
            VALUES ($1, $2, $3, $4, $5, nullif(jsonb_strip_nulls(jsonb_build_object(
                'reason', $6::text, 'from_unix_nano', $7::int8, 'until_unix_nano', $8::int8,
                'tenant', $9::text, 'rows', $10::int8, 'table', $11::text,
                'days', $12::int8, 'bytes', $13::int8)), '{}'))
            """, parameters, deadlineNs: deadlineNs)
    }

    /// Takes entries out that are older than `MaintenanceLimits.logDaysMax`; returns how many.
    @discardableResult
    package mutating func pruneMaintenanceLog(deadlineNs: UInt64) throws(DatabaseError) -> Int {
        try query(
            """
            DELETE FROM otel_maintenance_log
            WHERE at < now() - interval '\(MaintenanceLimits.logDaysMax) days'
            """, deadlineNs: deadlineNs
        ).affectedRowCount
    }
}
