// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// How the database is, from what a look at it gave.
struct DatabaseJudgement: Equatable {
    let state: DatabaseState
    /// Why it is not well; nil where it is.
    let reason: String?

    /// A server that answered.
    init(_ look: DatabaseLook, wantedVersion: Int, isDiskFull: Bool) {
        if look.isReadOnly {
            state = .readOnly
            reason =
                look.isStandby
                ? "the server is a standby" : "transactions are read-only by its settings"
        } else if look.isMigrating {
            state = .migrating
            reason = "somebody is migrating it"
        } else if look.schemaVersion < wantedVersion {
            state = .schemaNotCurrent
            reason =
                "it has version \(look.schemaVersion) of the schema, \(wantedVersion) is needed; "
                + "run `starling migrate`"
        } else if isDiskFull {
            state = .diskFull
            reason = "the server had no room for the last batch"
        } else {
            state = .ok
            reason = nil
        }
    }

    /// A server that did not, or not with what was asked.
    init(_ error: DatabaseError) {
        switch error.sqlState {
        case "53100":  // disk_full
            state = .diskFull
        case "42P01":  // undefined_table
            state = .schemaNotCurrent
        default:
            // libpq's words where the URL asks for a primary (target_session_attrs).
            let isReadOnly =
                error.message.contains("hot standby") || error.message.contains("read-only")
            state = isReadOnly ? .readOnly : .down
        }
        reason =
            state == .schemaNotCurrent
            ? "it has no schema of ours; run `starling migrate`" : error.description
    }

    /// Whether a client had better try another daemon, if it lasts. A schema that is being changed
    /// still takes rows.
    var takesNothing: Bool {
        switch state {
        case .unknown, .ok, .migrating: false
        case .down, .readOnly, .diskFull, .schemaNotCurrent: true
        }
    }
}
