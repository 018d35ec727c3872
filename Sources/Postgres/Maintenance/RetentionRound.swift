// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy

/// One look at what has expired, and its removal. Run it again and again.
///
/// Thread: any; the connection is the caller's, outside a transaction. Any number of daemons may
/// try at once: one does it.
package struct RetentionRound: Sendable {
    /// The present, in Unix nanoseconds. Give the lesser of the daemon's clock and the server's, so
    /// that one wrong clock drops nothing early.
    package let nowUnixNs: Int64
    /// Forgets what is dropped.
    package let cache: PartitionCache
    /// How long to try for one partition before it is left to the next round.
    package var patienceMs = MaintenanceLimits.patienceMs
    package var dropper = PartitionDropper()

    package init(nowUnixNs: Int64, cache: PartitionCache) {
        self.nowUnixNs = nowUnixNs
        self.cache = cache
    }

    /// What happened, as it happens.
    package enum Event: Sendable {
        case dropped(Expiry, freedBytes: Int64)
        case finished(PartitionDropper.Finished)
        /// Left to the next round.
        case postponed(Expiry, DatabaseError)
    }

    /// Does what the policy asks for; false when another session is at it.
    ///
    /// Errors: those of the connection. What cannot be dropped now is an event.
    @discardableResult
    package func run(
        on connection: inout PGConnection, onEvent: (Event) -> Void
    ) throws(DatabaseError) -> Bool {
        let done: Void? = try connection.withJob(.retention, deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            try finishPending(on: &connection, onEvent: onEvent)
            let policy = try connection.loadRetentionPolicy(deadlineNs: stepDeadlineNs)
            let partitions = try connection.listPartitions(deadlineNs: stepDeadlineNs)
            let expired = RetentionPlan.expired(partitions, policy: policy, nowUnixNs: nowUnixNs)
            let expiredNames = Set(expired.map(\.partition.sqlName))
            for partition in partitions
            where partition.isAttached && partition.isMarked
                && !expiredNames.contains(partition.sqlName)
            {
                try dropper.removeMark(of: partition, on: &connection)
            }
            try drop(expired, on: &connection, onEvent: onEvent)
        }
        return done != nil
    }

    /// Drops what was chosen by somebody else; false when another session is at it.
    package func run(
        dropping chosen: [Expiry], on connection: inout PGConnection, onEvent: (Event) -> Void
    ) throws(DatabaseError) -> Bool {
        let done: Void? = try connection.withJob(.retention, deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            try finishPending(on: &connection, onEvent: onEvent)
            try drop(chosen, on: &connection, onEvent: onEvent)
        }
        return done != nil
    }

    private func finishPending(
        on connection: inout PGConnection, onEvent: (Event) -> Void
    ) throws(DatabaseError) {
        let partitions = try connection.listPartitions(deadlineNs: stepDeadlineNs)
        for partition in partitions where !partition.isAttached {
            do throws(DatabaseError) {
                let finished = try dropper.finish(
                    partition, on: &connection, retryUntilNs: Deadline.inMs(patienceMs))
                if let finished { onEvent(.finished(finished)) }
            } catch {
                guard connection.isUsable, error.disposition != .stopped else { throw error }
                let expiry = Expiry(partition: partition, reason: .unfinished)
                onEvent(.postponed(expiry, error))
            }
        }
    }

    /// A table whose first partition will not go is left for this round: a DETACH that hangs half
    /// way stands in the way of all others.
    private func drop(
        _ expired: [Expiry], on connection: inout PGConnection, onEvent: (Event) -> Void
    ) throws(DatabaseError) {
        var stuckTables: Set<String> = []
        for expiry in expired where !stuckTables.contains(expiry.partition.table.name) {
            do throws(DatabaseError) {
                let freedBytes = try dropper.drop(
                    expiry, on: &connection, retryUntilNs: Deadline.inMs(patienceMs))
                cache.forget(table: expiry.partition.table.name)
                if let freedBytes { onEvent(.dropped(expiry, freedBytes: freedBytes)) }
            } catch {
                guard connection.isUsable, error.disposition != .stopped else { throw error }
                stuckTables.insert(expiry.partition.table.name)
                onEvent(.postponed(expiry, error))
            }
        }
    }

    private var stepDeadlineNs: UInt64 { Deadline.inMs(MaintenanceLimits.stepTimeoutMs) }
}
