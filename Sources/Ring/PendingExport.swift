// SPDX-License-Identifier: Apache-2.0
package import Base
package import Decode

/// A decoded export on its way to the database, with the duty to answer for it.
package struct PendingExport: ~Copyable, Sendable {
    package let export: Export
    /// What a retry of the same export would have as well.
    package let fingerprint: Fingerprint
    package let ticket: AckTicket
    package let cancellation: Cancellation
    /// Monotonic time after which nobody waits any more: do not start its COPY then.
    package let deadlineNs: UInt64
    /// Wall-clock time of arrival, for records that say none.
    package let arrivalUnixNs: UInt64
    /// Its number in the spool, if it comes from there.
    package let spoolNumber: UInt64?
    /// What it has cost of its sender's quota; given back where the client is to send it again.
    private let charge: QuotaCharge?

    package init(
        export: consuming Export, fingerprint: Fingerprint, ticket: consuming AckTicket,
        cancellation: Cancellation, deadlineNs: UInt64, arrivalUnixNs: UInt64,
        spoolNumber: UInt64? = nil, charge: QuotaCharge? = nil
    ) {
        self.export = export
        self.fingerprint = fingerprint
        self.ticket = ticket
        self.cancellation = cancellation
        self.deadlineNs = deadlineNs
        self.arrivalUnixNs = arrivalUnixNs
        self.spoolNumber = spoolNumber
        self.charge = charge
    }

    /// Whether somebody waits for the outcome: else its COPY must not be started, because the
    /// client sends it again.
    package func isWanted(nowNs: UInt64) -> Bool {
        deadlineNs > nowNs && !cancellation.isCancelled
    }

    /// Answers, and lets the export go.
    package consuming func settle(_ outcome: Outcome) {
        let items = export.items
        // Not where the client went away: the work was done at its word.
        if case .retry = outcome { charge?.undo() }
        ticket.settle(outcome, items: items)
    }
}
