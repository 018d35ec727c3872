// SPDX-License-Identifier: Apache-2.0
package import Postgres

/// How much of the database those who ask may take: keys `query.…`.
package struct ReaderSettings: Sendable {
    package let database: DatabaseSettings
    /// Where the few questions that change something do it; the daemon's own.
    package let writable: DatabaseSettings
    /// Threads, each with one session.
    package let readerCount: Int
    /// Questions that may wait for one of them.
    package let waitingCountMax: Int
    /// Nanoseconds of telemetry that one question may cover.
    package let rangeNsMax: Int64

    package init(
        database: DatabaseSettings, writable: DatabaseSettings, readerCount: Int,
        waitingCountMax: Int, rangeNsMax: Int64
    ) {
        precondition(readerCount > 0 && waitingCountMax >= 0 && rangeNsMax > 0)
        self.database = database.listed(as: "reader")
        self.writable = writable.listed(as: "admin")
        self.readerCount = readerCount
        self.waitingCountMax = waitingCountMax
        self.rangeNsMax = rangeNsMax
    }
}
