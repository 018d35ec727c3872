// SPDX-License-Identifier: Apache-2.0
package import Postgres

/// How much of the database those who ask may take: keys `query.…`.
package struct ReaderSettings: Sendable {
    package private(set) var database: DatabaseSettings
    /// Where the few questions that change something do it; the daemon's own.
    package let writable: DatabaseSettings
    /// Threads, each with one session.
    package let readerCount: Int
    /// Questions that may wait for one of them.
    package let waitingCountMax: Int
    /// Nanoseconds of telemetry that one question may cover.
    package let rangeNsMax: Int64
    /// Exports that may be under way, each with a thread and a session of its own.
    package let streamCountMax: Int
    /// Milliseconds that the database may take for one FETCH of an export.
    package let fetchTimeoutMs: Int
    /// Clients that may follow what is stored.
    package let tailCountMax: Int
    /// Nanoseconds from one look for them to the next.
    package let tailIntervalNs: UInt64

    package init(
        database: DatabaseSettings, writable: DatabaseSettings, readerCount: Int,
        waitingCountMax: Int, rangeNsMax: Int64, streamCountMax: Int, fetchTimeoutMs: Int,
        tailCountMax: Int, tailIntervalNs: UInt64
    ) {
        precondition(readerCount > 0 && waitingCountMax >= 0 && rangeNsMax > 0)
        precondition(streamCountMax > 0 && fetchTimeoutMs > 0)
        self.streamCountMax = streamCountMax
        self.fetchTimeoutMs = fetchTimeoutMs
        self.tailCountMax = tailCountMax
        self.tailIntervalNs = tailIntervalNs
        self.database = database.listed(as: "reader")
        self.writable = writable.listed(as: "admin")
        self.readerCount = readerCount
        self.waitingCountMax = waitingCountMax
        self.rangeNsMax = rangeNsMax
    }

    /// The same, for the session that looks for what is new: where it is written. On a replica a
    /// snapshot does not say which transactions are under way.
    var ofTails: ReaderSettings {
        var settings = self
        settings.database = writable.listed(as: "tail")
        settings.database.statementTimeoutMs = database.statementTimeoutMs
        return settings
    }

    /// The same, for sessions that export.
    var ofExports: ReaderSettings {
        var settings = self
        settings.database = database.listed(as: "export")
        settings.database.statementTimeoutMs = fetchTimeoutMs
        return settings
    }
}
