// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Bounds of maintenance.
package enum MaintenanceLimits {
    /// How long to wait for a lock behind which writers or readers could queue up.
    static let lockTimeoutMs = 200
    /// The same for DETACH FINALIZE, behind which only the making of a partition would have to
    /// wait; it waits for all older transactions, which may never be shorter than the time above.
    static let finalizeTimeoutMs = 1_000
    /// After which retries for one partition are left to the next round.
    package static let patienceMs = 30_000
    /// What a statement may take that waits for nothing but its work.
    static let stepTimeoutMs = 60_000
    /// Entries of `otel_maintenance_log` are kept for as many days.
    static let logDaysMax = 400
}

/// What one daemon at a time does.
package enum MaintenanceJob: Sendable {
    case retention, closing

    fileprivate var lock: AdvisoryLock {
        switch self {
        case .retention: .retention
        case .closing: .closing
        }
    }
}

extension PGConnection {
    /// Runs `body` while no other session does the same job; nil, without running it, if one does.
    ///
    /// Takes the time limit off statements for the rest of the session: maintenance may be long.
    package mutating func withJob<Value>(
        _ job: MaintenanceJob, deadlineNs: UInt64,
        _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        try execute("SET statement_timeout = 0", deadlineNs: deadlineNs)
        return try alone(job.lock, deadlineNs: deadlineNs, body)
    }

    /// Runs `body` until it gets its locks, with growing pauses, or `untilNs` has passed.
    ///
    /// Errors: the last one of `body`.
    mutating func retryingLocks<Value>(
        untilNs: UInt64, _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value {
        var backoff = Backoff(minMs: 50, maxMs: 2_000)
        while true {
            do throws(DatabaseError) {
                return try body(&self)
            } catch {
                let isWorthRetry = error.disposition == .transient && isUsable
                guard isWorthRetry, Clock.monotonicNs < untilNs else { throw error }
                if stop.wait(delayMs: backoff.nextDelayMs()) { throw .stopped() }
            }
        }
    }

    /// The server's clock, in Unix nanoseconds.
    package mutating func serverUnixNs(deadlineNs: UInt64) throws(DatabaseError) -> Int64 {
        let result = try query(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 * 1000",
            deadlineNs: deadlineNs)
        return result.integer(row: 0, column: 0) ?? 0
    }
}
