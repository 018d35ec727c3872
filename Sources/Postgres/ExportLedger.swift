// SPDX-License-Identifier: Apache-2.0
package import Base

/// How the ledger is divided in time: an export is noted in the window that is current when it is
/// committed, and in the one before.
///
/// Which one is current is for the server's clock to say: daemons on one database have to agree,
/// and the clock of one may jump between a COMMIT and the attempt to send the same again.
package struct LedgerWindow: Sendable, Equatable {
    /// Windows take turns in as many partitions, see `migrations/0006_export_ledger.sql`.
    package static let slotCount: Int64 = 4

    /// Seconds that one window spans (`durability.dedup_window`).
    package let lengthSeconds: Int64

    package init(lengthSeconds: Int64) {
        precondition(lengthSeconds > 0)
        self.lengthSeconds = lengthSeconds
    }

    /// SQL for the number of the current window, which stays the same throughout a transaction;
    /// `lengthParameter` names the parameter that holds the length.
    static func currentNumber(_ lengthParameter: String) -> String {
        "floor(extract(epoch FROM now()))::bigint / \(lengthParameter)"
    }
}

extension PGConnection {
    /// Writes every source in one transaction, and with them the fingerprints of the exports that
    /// the rows come from.
    ///
    /// Returns those of `fingerprints` that an earlier transaction has committed; when there are
    /// any, nothing was written. Waits for transactions that write the same ones. `fingerprints`
    /// are different from one another; nil for `window` keeps no ledger. Costs one round trip per
    /// source and one for the ledger. Errors: as `commit(copies:)`.
    package mutating func commit(
        copies sources: [CopySource], noting fingerprints: [Fingerprint], in window: LedgerWindow?,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        guard let window else {
            try commit(copies: sources, deadlineNs: deadlineNs)
            return []
        }
        precondition(!sources.isEmpty)
        begin()
        do throws(DatabaseError) {
            let known = try note(fingerprints, in: window, deadlineNs: deadlineNs)
            guard known.isEmpty else {
                rollback(deadlineNs: Deadline.inMs(PGConnection.rollbackTimeoutMs))
                return known
            }
            for (index, source) in sources.enumerated() {
                try copyIn(
                    source.statement, table: source.table, chunks: source.chunks,
                    thenCommit: index == sources.count - 1, deadlineNs: deadlineNs)
            }
            return []
        } catch {
            rollback(deadlineNs: max(deadlineNs, Deadline.inMs(PGConnection.rollbackTimeoutMs)))
            throw error
        }
    }

    /// Inserts both rows of each fingerprint, in one order everywhere, so that two daemons that
    /// note the same exports wait for one another instead of locking each other out.
    mutating func note(
        _ fingerprints: [Fingerprint], in window: LedgerWindow, deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        var array = ArrayParameter(.bytea)
        for fingerprint in fingerprints { array.append(fingerprint.bytes) }
        var parameters = QueryParameters()
        parameters.append(array)
        parameters.append(window.lengthSeconds)
        let result = try query(
            """
            INSERT INTO otel_export_ledger (slot, window_start, fingerprint)
            SELECT (number % \(LedgerWindow.slotCount))::smallint, number * $2, fingerprint
            FROM unnest($1) AS fingerprint
            CROSS JOIN (
                SELECT \(LedgerWindow.currentNumber("$2")) - age AS number
                FROM (VALUES (0), (1)) AS ages (age)) AS windows
            ORDER BY fingerprint, number
            ON CONFLICT DO NOTHING
            RETURNING fingerprint
            """, parameters, deadlineNs: deadlineNs)
        var newCounts: [Fingerprint: Int] = [:]
        for row in 0..<result.rowCount {
            if let fingerprint = Fingerprint(result.bytes(row: row, column: 0)) {
                newCounts[fingerprint, default: 0] += 1
            }
        }
        return Set(fingerprints.filter { newCounts[$0] != 2 })
    }

    /// The slot whose windows are over: neither this, the last nor the next one is in it.
    private mutating func idleSlot(
        _ window: LedgerWindow, deadlineNs: UInt64
    ) throws(DatabaseError) -> Int64 {
        var parameters = QueryParameters()
        parameters.append(window.lengthSeconds)
        let result = try query(
            "SELECT (\(LedgerWindow.currentNumber("$1")) + 2) % \(LedgerWindow.slotCount)",
            parameters, deadlineNs: deadlineNs)
        return result.integer(row: 0, column: 0) ?? 0
    }

    /// Empties the slot whose windows are over, where it holds anything. Returns whether it did.
    ///
    /// Locks that one partition, which nobody writes, and waits at most 200 ms for it.
    package mutating func clearIdleLedgerSlot(
        _ window: LedgerWindow, deadlineNs: UInt64
    ) throws(DatabaseError) -> Bool {
        let table = "otel_export_ledger_\(try idleSlot(window, deadlineNs: deadlineNs))"
        let found = try query(
            "SELECT 1 FROM \(table) LIMIT 1", QueryParameters(), deadlineNs: deadlineNs)
        guard found.rowCount > 0 else { return false }
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            try connection.execute(
                "SET LOCAL lock_timeout = 200; TRUNCATE \(table)", deadlineNs: deadlineNs)
        }
        return true
    }
}
