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

    private static let periodNs: UInt64 = 30_000_000_000
    /// Exports that are still in the ring may come into the spool later than they arrived.
    private static let marginNs: UInt64 = 120_000_000_000
    private static let endTimeoutMs = 3_000

    init(_ spool: Spool, database: DatabaseSettings, logger: Logger) {
        self.spool = spool
        self.database = database
        self.logger = logger
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
        do throws(DatabaseError) {
            var connection = try PGConnection.connect(database, stop: stop, deadlineNs: deadlineNs)
            try connection.registerSpool(
                spool.id.bytes, keepSinceUnixNs: keepSinceUnixNs,
                forgottenNumber: spool.forgottenNumber, deadlineNs: deadlineNs)
        } catch {
            guard error.disposition != .stopped else { return }
            logger.info(
                "the database does not know how the spool is", metadata: ["error": "\(error)"])
        }
    }
}
