// SPDX-License-Identifier: Apache-2.0
package import Base

/// Where in the ledger an export committed now is noted: the current window and the one before.
package struct LedgerWindow: Sendable, Equatable {
    package static let slotCount: Int64 = 4
    /// Seconds for which the ledger is kept for the sake of a spool.
    package static let keptSecondsMax: Int64 = 86_400

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

    /// The windows in which an export is noted, and so those in which a retry is looked for.
    ///
    /// One out of a spool has those of its arrival as well: a first attempt was noted about then,
    /// and a second copy of it in the spool will be.
    func starts(of note: ExportNote) -> Set<Int64> {
        guard let place = note.place else { return [previousStartSeconds, startSeconds] }
        let arrival = LedgerWindow(lengthSeconds: lengthSeconds, nowUnixNs: place.arrivalUnixNs)
        return [
            previousStartSeconds, startSeconds, arrival.previousStartSeconds, arrival.startSeconds,
        ]
    }

    func slot(ofStart startSeconds: Int64) -> Int64 {
        startSeconds / lengthSeconds % LedgerWindow.slotCount
    }

    /// The slot whose windows are over: neither this, the last nor the next one is in it.
    var idleSlot: Int64 { slot(ofStart: startSeconds + 2 * lengthSeconds) }
}

extension PGConnection {
    /// Writes every source in one transaction, and with them what `notes` says of the exports that
    /// the rows come from.
    ///
    /// Returns the fingerprints of those that an earlier transaction has committed; when there are
    /// any, nothing was written. Waits for transactions that write the same ones. The fingerprints
    /// are different from one another; nil for `window` keeps no ledger. Costs one round trip per
    /// source, one for the ledger, and one for what comes from a spool. Errors: as
    /// `commit(copies:)`.
    package mutating func commit(
        copies sources: [CopySource], noting notes: [ExportNote], in window: LedgerWindow?,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        if window == nil, notes.allSatisfy({ $0.place == nil }) {
            try commit(copies: sources, deadlineNs: deadlineNs)
            return []
        }
        precondition(!sources.isEmpty)
        begin()
        do throws(DatabaseError) {
            var known = try mark(notes, deadlineNs: deadlineNs)
            if let window {
                known.formUnion(try note(notes, in: window, deadlineNs: deadlineNs))
            }
            guard known.isEmpty else {
                rollback(deadlineNs: Deadline.inMs(PGConnection.rollbackTimeoutMs))
                try markKnown(notes.filter { known.contains($0.fingerprint) }, deadlineNs)
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

    /// The ledger forgets; a record of a spool that is known by it must be known for good.
    private mutating func markKnown(
        _ notes: [ExportNote], _ deadlineNs: UInt64
    ) throws(DatabaseError) {
        guard notes.contains(where: { $0.place != nil }) else { return }
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            _ = try connection.mark(notes, deadlineNs: deadlineNs)
        }
    }

    /// Inserts the rows of each fingerprint, in one order everywhere, so that two daemons that
    /// note the same exports wait for one another instead of locking each other out.
    private mutating func note(
        _ notes: [ExportNote], in window: LedgerWindow, deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        var missingCounts: [Fingerprint: Int] = [:]
        var slots = ArrayParameter(.int8)
        var starts = ArrayParameter(.int8)
        var fingerprints = ArrayParameter(.bytea)
        for note in notes {
            let noteStarts = window.starts(of: note)
            missingCounts[note.fingerprint] = noteStarts.count
            for start in noteStarts {
                slots.append(window.slot(ofStart: start))
                starts.append(start)
                fingerprints.append(note.fingerprint.bytes)
            }
        }
        let result = try query(
            """
            INSERT INTO otel_export_ledger (slot, window_start, fingerprint)
            SELECT slot::smallint, window_start, fingerprint
            FROM unnest($1, $2, $3) AS noted (slot, window_start, fingerprint)
            ORDER BY fingerprint, window_start
            ON CONFLICT DO NOTHING
            RETURNING fingerprint
            """, QueryParameters([slots, starts, fingerprints]), deadlineNs: deadlineNs)
        for row in 0..<result.rowCount {
            if let fingerprint = Fingerprint(result.bytes(row: row, column: 0)) {
                missingCounts[fingerprint, default: 0] -= 1
            }
        }
        return Set(missingCounts.filter { $0.value != 0 }.keys)
    }

    /// Empties the slot whose windows are over, where it holds anything, and no spool holds exports
    /// of that time. Returns whether it did.
    ///
    /// A spool that nobody comes for keeps the ledger for a day, not for ever.
    /// Locks that one partition, which nobody writes, and waits at most 200 ms for it.
    package mutating func clearIdleLedgerSlot(
        _ window: LedgerWindow, deadlineNs: UInt64
    ) throws(DatabaseError) -> Bool {
        let table = "otel_export_ledger_\(window.idleSlot)"
        let startSeconds = window.startSeconds
        let found = try query(
            """
            SELECT 1 FROM \(table)
            WHERE NOT EXISTS (
                SELECT 1 FROM otel_spools
                WHERE keep_since_unix_nano < \(startSeconds) * 1000000000
                AND keep_since_unix_nano > \(startSeconds - LedgerWindow.keptSecondsMax) * 1000000000)
            LIMIT 1
            """, QueryParameters(), deadlineNs: deadlineNs)
        guard found.rowCount > 0 else { return false }
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            try connection.execute(
                "SET LOCAL lock_timeout = 200; TRUNCATE \(table)", deadlineNs: deadlineNs)
        }
        return true
    }
}
