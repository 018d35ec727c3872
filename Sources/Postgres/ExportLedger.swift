// SPDX-License-Identifier: Apache-2.0
package import Base

/// Where in the ledger an export committed now is noted: the current window and the one before.
package struct LedgerWindow: Sendable, Equatable {
    package static let slotCount: Int64 = 4

    /// Seconds that one window spans (`durability.dedup_window`).
    package let lengthSeconds: Int64
    /// Start of the current window, seconds since 1970.
    package let startSeconds: Int64

    package init(lengthSeconds: Int64, nowUnixNs: UInt64) {
        precondition(lengthSeconds > 0)
        self.lengthSeconds = lengthSeconds
        let nowSeconds = Int64(nowUnixNs / 1_000_000_000)
        startSeconds = nowSeconds - nowSeconds % lengthSeconds
    }

    /// Start of the window before.
    var previousStartSeconds: Int64 { startSeconds - lengthSeconds }

    func slot(ofStart startSeconds: Int64) -> Int64 {
        startSeconds / lengthSeconds % LedgerWindow.slotCount
    }

    /// The slot whose windows are over: neither this, the last nor the next one is in it.
    var idleSlot: Int64 { slot(ofStart: startSeconds + 2 * lengthSeconds) }
}

extension PGConnection {
    /// Writes every source in one transaction, and with them the fingerprints of the exports that
    /// the rows come from.
    ///
    /// Returns those of `fingerprints` that an earlier transaction has committed; when there are
    /// any, nothing was written. Waits for transactions that write the same ones. `fingerprints`
    /// are different from one another; nil for `window` keeps no ledger. `losses` are added to the
    /// loss ledger with them. Costs one round trip per source and one for the ledgers. Errors: as
    /// `commit(copies:)`.
    package mutating func commit(
        copies sources: [CopySource], noting fingerprints: [Fingerprint], in window: LedgerWindow?,
        adding losses: LossEntries = LossEntries(source: ""), deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        precondition(!sources.isEmpty)
        begin()
        do throws(DatabaseError) {
            let known = try noteExports(
                fingerprints, in: window, adding: losses, deadlineNs: deadlineNs)
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
        _ fingerprints: [Fingerprint], in window: LedgerWindow, adding losses: LossEntries,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        var array = ArrayParameter(.bytea)
        for fingerprint in fingerprints { array.append(fingerprint.bytes) }
        var parameters = QueryParameters()
        parameters.append(array)
        for start in [window.previousStartSeconds, window.startSeconds] {
            parameters.append(window.slot(ofStart: start))
            parameters.append(start)
        }
        let insert = """
            INSERT INTO otel_export_ledger (slot, window_start, fingerprint)
            SELECT slot::smallint, window_start, fingerprint
            FROM unnest($1) AS fingerprint
            CROSS JOIN (VALUES ($2, $3), ($4, $5)) AS windows (slot, window_start)
            ORDER BY fingerprint, window_start
            ON CONFLICT DO NOTHING
            RETURNING fingerprint
            """
        // One statement for both ledgers: one round trip.
        let statement =
            losses.isEmpty
            ? insert
            : """
            WITH noted AS (\(insert)), counted AS (\(losses.statement(&parameters)))
            SELECT fingerprint FROM noted
            """
        let result = try query(statement, parameters, deadlineNs: deadlineNs)
        var newCounts: [Fingerprint: Int] = [:]
        for row in 0..<result.rowCount {
            if let fingerprint = Fingerprint(result.bytes(row: row, column: 0)) {
                newCounts[fingerprint, default: 0] += 1
            }
        }
        return Set(fingerprints.filter { newCounts[$0] != 2 })
    }

    /// Empties the slot whose windows are over, where it holds anything. Returns whether it did.
    ///
    /// Locks that one partition, which nobody writes, and waits at most 200 ms for it.
    package mutating func clearIdleLedgerSlot(
        _ window: LedgerWindow, deadlineNs: UInt64
    ) throws(DatabaseError) -> Bool {
        let table = "otel_export_ledger_\(window.idleSlot)"
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
