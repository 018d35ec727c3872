// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging
internal import Postgres
internal import Spool

/// Keeps the database's knowledge of the spool up to date: how far back the export ledger is
/// needed, and which marks are not.
///
/// Thread: the replayer's.
final class SpoolKeeper {
    private let spool: Spool
    private let database: DatabaseSettings
    private let logger: Logger
    private var nextNs: UInt64 = 0
    private var hasForgotten = false

    private static let periodNs: UInt64 = 30_000_000_000
    /// Exports that are still in the ring may come into the spool later than they arrived.
    private static let marginNs: UInt64 = 120_000_000_000
    private static let endTimeoutMs = 3_000

    init(_ spool: Spool, database: DatabaseSettings, logger: Logger) {
        self.spool = spool
        self.database = database
        self.logger = logger
    }

    /// Forgets, once in a life, the marks of records that damage took from the end of the spool: a
    /// new record of such a number would pass for stored. Nothing may be replayed before this has
    /// returned true; it costs a connection, and takes as long as that.
    func forgetStaleMarks(stop: StopSignal) -> Bool {
        guard !hasForgotten else { return true }
        #if DEBUG
        hasForgotten = TestBreak.isOn(.keepStaleMarks)
        if hasForgotten { return true }
        #endif
        hasForgotten = tell(stop: stop, deadlineNs: database.statementDeadlineNs) {
            (connection, deadlineNs) throws(DatabaseError) in
            try connection.forgetMarks(
                spool.id.bytes, from: spool.openingNumber, deadlineNs: deadlineNs)
        }
        return hasForgotten
    }

    /// Writes what changed, every half minute.
    func keepUp(stop: StopSignal) {
        let nowNs = Clock.monotonicNs
        guard nowNs >= nextNs else { return }
        nextNs = nowNs + SpoolKeeper.periodNs
        let oldestUnixNs = spool.status.oldestUnixNs ?? Clock.unixNs
        register(
            keepSinceUnixNs: oldestUnixNs - min(oldestUnixNs, SpoolKeeper.marginNs), stop: stop,
            deadlineNs: database.statementDeadlineNs)
    }

    /// An empty spool asks nothing of the ledger once its daemon is gone.
    func end() {
        guard spool.isEmpty else { return }
        register(
            keepSinceUnixNs: nil, stop: StopSignal(),
            deadlineNs: Deadline.inMs(SpoolKeeper.endTimeoutMs))
    }

    private func register(keepSinceUnixNs: UInt64?, stop: StopSignal, deadlineNs: UInt64) {
        _ = tell(stop: stop, deadlineNs: deadlineNs) {
            (connection, deadlineNs) throws(DatabaseError) in
            try connection.registerSpool(
                spool.id.bytes, keepSinceUnixNs: keepSinceUnixNs,
                forgottenNumber: spool.forgottenNumber, deadlineNs: deadlineNs)
        }
    }

    /// Over a connection of its own; whether it worked.
    private func tell(
        stop: StopSignal, deadlineNs: UInt64,
        _ act: (inout PGConnection, UInt64) throws(DatabaseError) -> Void
    ) -> Bool {
        do throws(DatabaseError) {
            var connection = try PGConnection.connect(database, stop: stop, deadlineNs: deadlineNs)
            try act(&connection, deadlineNs)
            return true
        } catch {
            guard error.disposition != .stopped else { return false }
            logger.info(
                "the database does not know how the spool is", metadata: ["error": "\(error)"])
            return false
        }
    }
}
