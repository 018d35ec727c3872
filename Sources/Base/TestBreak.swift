// SPDX-License-Identifier: Apache-2.0

#if DEBUG
internal import CLinux

/// Ways to break the promise on purpose, so that the tests in Tests/Faults can show that they
/// would see it broken.
///
/// Only in debug builds, and only where the environment says so: STARLING_TEST_BREAK holds the
/// name of one. A release build has no trace of it, and takes the variable for an unknown key.
package enum TestBreak: String, CaseIterable, Sendable {
    /// Requests are answered when they are queued, not when they are committed.
    case ackBeforeCommit = "ack-before-commit"
    /// No fingerprint is noted or looked up, so that a retry is stored again.
    case noLedger = "no-ledger"
    /// A batch in hand when the connection breaks is acknowledged instead of sent again.
    case dropBatchOnReconnect = "drop-batch-on-reconnect"
    /// A batch that the server answers with an error is acknowledged instead of sent again.
    case dropBatchOnError = "drop-batch-on-error"
    /// Rows that PostgreSQL refuses are left out, and nobody is told.
    case dropRefusedRow = "drop-refused-row"
    /// Requests whose time is over before they are stored are acknowledged.
    case ackExpired = "ack-expired"
    /// Requests for which there is no room are acknowledged.
    case ackWhenFull = "ack-when-full"
    /// What should go to the spool is acknowledged, and goes nowhere.
    case dropSpooled = "drop-spooled"
    /// What the spool does not take is acknowledged.
    case ackWhenSpoolFull = "ack-when-spool-full"
    /// Records of the spool are stored without their marks, and without a look at the ledger.
    case noSpoolMarks = "no-spool-marks"
    /// Marks stay of records that are no longer on disk, and meet new records of these numbers.
    case keepStaleMarks = "keep-stale-marks"
    /// Bodies of records are taken as they are, whatever their checksum says.
    case noSpoolChecksum = "no-spool-checksum"

    package static let variable = "STARLING_TEST_BREAK"

    /// The one that was asked for, read once.
    private static let chosen: TestBreak? = {
        guard let value = unsafe getenv(variable) else { return nil }
        let name = unsafe String(cString: value)
        guard let chosen = TestBreak(rawValue: name) else {
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            preconditionFailure("\(variable) is \(name); there are: \(names)")
        }
        return chosen
    }()

    package static func isOn(_ one: TestBreak) -> Bool { chosen == one }
}
#endif
