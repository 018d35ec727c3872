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
    /// Seconds for which the ledger is kept for the sake of a spool.
    package static let keptSecondsMax: Int64 = 86_400

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
    /// Writes every source in one transaction, and with them what `notes` says of the exports that
    /// the rows come from.
    ///
    /// Returns the fingerprints of those that an earlier transaction has committed; when there are
    /// any, nothing was written. Waits for transactions that write the same ones, for a bounded
    /// time: then the error's disposition is `heldElsewhere`. The fingerprints
    /// are different from one another; nil for `window` keeps no ledger. `losses` are added to the
    /// loss ledger with them, and `batches` noted. Costs one round trip per source, one for the
    /// ledgers, and one for what comes from a spool. Errors: as `commit(copies:)`.
    package mutating func commit(
        copies sources: [CopySource], noting notes: [ExportNote], in window: LedgerWindow?,
        adding losses: LossEntries = LossEntries(source: ""), batches: [RowBatch] = [],
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        precondition(!sources.isEmpty)
        begin()
        do throws(DatabaseError) {
            let known = try note(
                notes, in: window, adding: losses, batches: batches, deadlineNs: deadlineNs)
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
    package mutating func markKnown(
        _ notes: [ExportNote], _ deadlineNs: UInt64
    ) throws(DatabaseError) {
        guard notes.contains(where: { $0.place != nil }) else { return }
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            _ = try connection.mark(notes, deadlineNs: deadlineNs)
        }
    }

    /// Notes the exports in the open transaction: in the ledger, when it is kept, and those out of
    /// a spool by their marks; the losses; and the batches. Returns the fingerprints that are there
    /// already.
    package mutating func note(
        _ notes: [ExportNote], in window: LedgerWindow?,
        adding losses: LossEntries = LossEntries(source: ""), batches: [RowBatch] = [],
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        var known: Set<Fingerprint>
        do throws(DatabaseError) {
            known = try mark(notes, deadlineNs: deadlineNs)
            if let window {
                known.formUnion(
                    try noteInLedger(
                        notes, window, adding: losses, batches: batches, deadlineNs: deadlineNs))
            }
        } catch { throw error.ofNoting }
        if window == nil {
            try write(losses, deadlineNs: deadlineNs)
            try write(batches, deadlineNs: deadlineNs)
        }
        return known
    }

    /// Inserts the rows of each fingerprint, in one order everywhere, so that two daemons that
    /// note the same exports wait for one another instead of locking each other out.
    ///
    /// An export out of a spool is noted in the windows of its arrival as well: a first attempt was
    /// noted about then, and so will be a second copy of it in the spool.
    private mutating func noteInLedger(
        _ notes: [ExportNote], _ window: LedgerWindow, adding losses: LossEntries,
        batches: [RowBatch], deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        var fingerprints = ArrayParameter(.bytea)
        var arrivals = ArrayParameter(.int8)
        for note in notes {
            fingerprints.append(note.fingerprint.bytes)
            arrivals.append(note.place.map { Int64(clamping: $0.arrivalUnixNs / 1_000_000_000) })
        }
        var parameters = QueryParameters()
        parameters.append(fingerprints)
        parameters.append(window.lengthSeconds)
        parameters.append(arrivals)
        // One statement for all of it: one round trip.
        precondition(!losses.isOnlyOne, "what has one addition is written by itself")
        let isNotingOnly = losses.isEmpty && batches.isEmpty
        if !isNotingOnly {
            losses.append(to: &parameters)
            RowBatch.append(batches, to: &parameters)
        }
        let result = try queryPrepared(
            isNotingOnly ? PGConnection.noting : PGConnection.notingAndCounting, parameters,
            deadlineNs: deadlineNs)
        var known: Set<Fingerprint> = []
        for row in 0..<result.rowCount {
            if let fingerprint = Fingerprint(result.bytes(row: row, column: 0)) {
                known.insert(fingerprint)
            }
        }
        return known
    }

    private static let noting = notingStatement(counting: "")
    private static let notingAndCounting: String = {
        let losses = LossEntries.statement(parametersFrom: 4, isOnlyOne: false)
        let batches = RowBatch.statement(parametersFrom: 14)
        return notingStatement(counting: ", counted AS (\(losses)), batched AS (\(batches))")
    }()

    /// Its parameters are fingerprints, length of the window, arrivals; and those of `counting`.
    private static func notingStatement(counting: String) -> String {
        """
        WITH \(LockWait.bounded), wanted AS (
            SELECT DISTINCT fingerprint, number
            FROM lock_wait
            CROSS JOIN unnest($1, $3) AS noted (fingerprint, arrival)
            CROSS JOIN LATERAL (
                SELECT start - age
                FROM (VALUES (0), (1)) AS ages (age)
                CROSS JOIN (VALUES (\(LedgerWindow.currentNumber("$2"))), (arrival / $2))
                    AS starts (start)
                WHERE start IS NOT NULL
            ) AS windows (number)
        ), written AS (
            INSERT INTO otel_export_ledger (slot, window_start, fingerprint)
            SELECT (number % \(LedgerWindow.slotCount))::smallint, number * $2, fingerprint
            FROM wanted
            ORDER BY fingerprint, number
            ON CONFLICT DO NOTHING
            RETURNING fingerprint
        )\(counting)
        SELECT fingerprint
        FROM (SELECT fingerprint, count(*) AS number FROM wanted GROUP BY 1) AS wanted
        LEFT JOIN (SELECT fingerprint, count(*) AS number FROM written GROUP BY 1) AS written
            USING (fingerprint)
        WHERE wanted.number IS DISTINCT FROM written.number
        \(LockWait.asUsual)
        """
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

    /// Empties the slot whose windows are over, where it holds anything, and no spool holds exports
    /// of that time. Returns whether it did.
    ///
    /// A spool that nobody comes for keeps the ledger for a day, not for ever.
    /// Locks that one partition, which nobody writes, and waits at most 200 ms for it.
    package mutating func clearIdleLedgerSlot(
        _ window: LedgerWindow, deadlineNs: UInt64
    ) throws(DatabaseError) -> Bool {
        let table = "otel_export_ledger_\(try idleSlot(window, deadlineNs: deadlineNs))"
        var parameters = QueryParameters()
        parameters.append(window.lengthSeconds)
        let found = try query(
            """
            SELECT 1 FROM \(table)
            WHERE NOT EXISTS (
                SELECT 1 FROM otel_spools
                WHERE keep_since_unix_nano / 1000000000
                    < \(LedgerWindow.currentNumber("$1")) * $1
                AND keep_since_unix_nano / 1000000000
                    > extract(epoch FROM now()) - \(LedgerWindow.keptSecondsMax))
            LIMIT 1
            """, parameters, deadlineNs: deadlineNs)
        guard found.rowCount > 0 else { return false }
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            try connection.execute(
                "SET LOCAL lock_timeout = 200; TRUNCATE \(table)", deadlineNs: deadlineNs)
        }
        return true
    }
}

/// Bounds how long one statement waits for the locks of others, without a round trip of its own;
/// the statements after it wait as before.
///
/// `bounded` is a common table expression that what is to wait has to read first, `asUsual` goes
/// behind the query that reads all of that: the branches of UNION ALL are read in turn.
enum LockWait {
    /// Longer than a transaction of another daemon takes, shorter than the patience of a client.
    static let lockTimeoutMs = 3_000

    static let bounded = """
        lock_wait AS MATERIALIZED (
            SELECT current_setting('lock_timeout') AS usual,
                set_config('lock_timeout', '\(lockTimeoutMs)', true) AS bounded
        )
        """

    static let asUsual = """
        UNION ALL
        SELECT NULL FROM lock_wait WHERE set_config('lock_timeout', usual, true) IS NULL
        """
}
