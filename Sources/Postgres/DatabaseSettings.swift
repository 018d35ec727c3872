// SPDX-License-Identifier: Apache-2.0

/// How to reach the database, and how long to wait for it.
package struct DatabaseSettings: Sendable {
    /// `database.url`. A libpq URI or conninfo string; several hosts may be listed. May hold a
    /// password: never log it.
    package var url: String
    /// Milliseconds for one host, 1...600_000. A `connect_timeout` in the URL takes its place.
    package var connectTimeoutMs: Int
    /// Milliseconds that the server gives one statement, 0...86_400_000; 0 is without limit.
    package var statementTimeoutMs: Int
    /// How the server lists the session (`pg_stat_activity`), unless the URL names it.
    package var applicationName: String

    package init(
        url: String, connectTimeoutMs: Int = 10_000, statementTimeoutMs: Int = 30_000,
        applicationName: String = "starling"
    ) {
        precondition((1...600_000).contains(connectTimeoutMs))
        precondition((0...86_400_000).contains(statementTimeoutMs))
        self.url = url
        self.connectTimeoutMs = connectTimeoutMs
        self.statementTimeoutMs = statementTimeoutMs
        self.applicationName = applicationName
    }

    /// The same, for sessions that do `work`: the server lists them as `starling WORK`.
    package func listed(as work: String) -> DatabaseSettings {
        var settings = self
        settings.applicationName = "starling \(work)"
        return settings
    }

    /// When to give up on a statement that is sent now: a little after the server would, so that it
    /// is the server who ends it, and the session lives on.
    package var statementDeadlineNs: UInt64 {
        statementTimeoutMs == 0 ? .max : Deadline.inMs(statementTimeoutMs + 5_000)
    }
}
