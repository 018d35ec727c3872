// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Bounds of what tails may take.
package enum TailLimits {
    /// How far back rows are shown, by their own time; and how old a cursor may be. What is older
    /// is no news, and the look for it would read all that has arrived since.
    package static let windowNs: Int64 = 900_000_000_000
    /// Rows that one look shows of one question, the newest.
    package static let rowCountPerLookMax = 1_000
    /// Rows that were stored before the tail began, the newest.
    package static let historyRowCountMax = 1_000
    /// From one sign of life to the next, where there is nothing to show.
    package static let heartbeatNs: UInt64 = 15_000_000_000
    /// Between two attempts to send what a client had no room for.
    static let drainNs: UInt64 = 20_000_000
    /// Between two attempts to reach the database.
    static let retryNs: UInt64 = 1_000_000_000
    /// A look is followed by this many times as long without one.
    static let restFactor: UInt64 = 3
    /// Who wants to be one more hears to come back after so long.
    static let retryAfterSeconds = 5

    /// Notes of what was stored are kept for longer than a cursor may be old.
    static func check() {
        precondition(Int64(RowBatch.keptSeconds) * 1_000_000_000 > windowNs * 5 / 4)
    }
}
