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
    let stop: StopSignal
    let logger: Logger

    private static let periodMs = 10 * 60_000
    private static let afterFailureMs = 15_000

    /// Looks after the partitions until the daemon stops.
    func run() {
        var delayMs = 0
        while !stop.wait(delayMs: delayMs) {
            do throws(DatabaseError) {
                try makePartitions()
                delayMs = Janitor.periodMs
            } catch {
                if error.disposition == .stopped { return }
                delayMs = Janitor.afterFailureMs
                logger.warning(
                    "partitions could not be made ahead", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Makes the partitions from now to `aheadNs` from now, where they are missing.
    func makePartitions() throws(DatabaseError) {
        var connection = try PGConnection.connect(database, stop: stop)
        let createdCount = try partitions.ensureAhead(
            tables: FactTable.allCases.map(\.name), nowUnixNs: Int64(Clock.unixNs),
            aheadNs: Int64(aheadNs), on: &connection,
            deadlineNs: database.statementDeadlineNs)
        if createdCount > 0 {
            logger.info("partitions made", metadata: ["count": "\(createdCount)"])
        }
    }
}
