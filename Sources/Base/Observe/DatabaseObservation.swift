// SPDX-License-Identifier: Apache-2.0

/// How the database is, in one word. Raw values are what monitors see.
package enum DatabaseState: String, Sendable, CaseIterable {
    /// Nobody has looked yet.
    case unknown
    /// It takes what is to be stored.
    case ok
    /// No session can be opened, or it does not answer.
    case down
    /// Somebody is changing its schema.
    case migrating
    /// A standby, or a primary that does not take writes.
    case readOnly = "read-only"
    /// It has no room for what is to be stored.
    case diskFull = "disk-full"
    /// It lacks migrations of this version.
    case schemaNotCurrent = "schema-not-current"
}

/// The latest look at the database.
package struct DatabaseObservation: Sendable {
    package var state = DatabaseState.unknown
    /// Why it is not well; half a sentence.
    package var reason: String?
    /// Since the last look that was answered; nil before the first.
    package var answeredAgeNs: UInt64?
    /// Since `state` is what it is.
    package var stateAgeNs: UInt64 = 0
    /// How long the last answer took.
    package var roundTripNs: UInt64?
    /// For example `15.20`.
    package var serverVersion: String?
    /// Migrations that are applied, of those that this version has.
    package var schemaVersion: Int?
    package var schemaVersionWanted = 0
    /// How far from now each fact table takes rows without a gap.
    package var partitionsAhead: [TableAhead] = []
    /// What of it the configuration asks for at least; 0 where partitions are made on demand.
    package var partitionsAheadNsMin: UInt64 = 0

    package init() {}

    package struct TableAhead: Sendable, Equatable {
        package let table: String
        package let aheadNs: UInt64

        package init(table: String, aheadNs: UInt64) {
            self.table = table
            self.aheadNs = aheadNs
        }
    }
}
