// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Logging
internal import Postgres

/// A thread that keeps partitions ready ahead of time, over a connection of its own.
///
/// Thread: `run` is the thread.
struct Janitor: Sendable {
    let database: DatabaseSettings
    let partitions: PartitionMaker
    let aheadNs: UInt64
    /// `durability.dedup_window`; 0 keeps no ledger.
    let dedupWindowSeconds: Int64
    let stop: StopSignal
    let logger: Logger

    private static let periodMsMax = 10 * 60_000
    private static let afterFailureMs = 15_000

    /// Often enough to meet every window of the ledger while its slot is idle.
    private var periodMs: Int {
        let windowMs = Int(dedupWindowSeconds) * 1_000
        return windowMs > 0 ? max(1_000, min(windowMs / 2, Janitor.periodMsMax)) : Janitor.periodMsMax
    }

    /// Looks after partitions and ledger until the daemon stops.
    func run() {
        var delayMs = 0
        while !stop.wait(delayMs: delayMs) {
            do throws(DatabaseError) {
                try work()
                delayMs = periodMs
            } catch {
                if error.disposition == .stopped { return }
                delayMs = Janitor.afterFailureMs
                logger.warning(
                    "maintenance failed, it is tried again", metadata: ["error": "\(error)"])
            }
        }
    }

    private func work() throws(DatabaseError) {
        var connection = try PGConnection.connect(database, stop: stop)
        try makePartitions(on: &connection)
        if dedupWindowSeconds > 0 { try clearLedger(on: &connection) }
    }

    private func clearLedger(on connection: inout PGConnection) throws(DatabaseError) {
        let window = LedgerWindow(lengthSeconds: dedupWindowSeconds, nowUnixNs: Clock.unixNs)
        let isCleared = try connection.clearIdleLedgerSlot(
            window, deadlineNs: database.statementDeadlineNs)
        if isCleared { logger.debug("a slot of the export ledger was emptied") }
    }

    /// Makes the partitions from now to `aheadNs` from now, where they are missing.
    private func makePartitions(on connection: inout PGConnection) throws(DatabaseError) {
        let createdCount = try partitions.ensureAhead(
            tables: FactTable.allCases.map(\.name), nowUnixNs: Int64(Clock.unixNs),
            aheadNs: Int64(aheadNs), on: &connection,
            deadlineNs: database.statementDeadlineNs)
        if createdCount > 0 {
            logger.info("partitions made", metadata: ["count": "\(createdCount)"])
        }
    }
}
