// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Copy

/// Makes partitions of the fact tables, on demand and ahead of time.
///
/// Any number of writers and daemons may do so at once: an advisory lock lets them in one by one.
/// Thread: any; the connection is the caller's and must be outside a transaction.
package struct PartitionMaker: Sendable {
    package let interval: PartitionInterval
    package let cache: PartitionCache

    /// How long to wait for locks. Whoever queues behind us waits as long, hence short, and
    /// retried.
    static let lockTimeoutMs = 200
    /// Partitions per transaction: each takes a handful of the server's shared lock slots.
    static let createdPerTransactionMax = 16

    package init(interval: PartitionInterval, cache: PartitionCache) {
        self.interval = interval
        self.cache = cache
    }

    /// Makes sure that `table` can take every time in the intervals that begin at `startsNs`, which
    /// are different from one another.
    ///
    /// Costs nothing but a look into the cache where they exist. Returns how many were made.
    /// Errors: `transient` when a lock was not to be had until `deadlineNs`.
    @discardableResult
    package func ensure(
        table: String, startsNs: some Sequence<Int64>, on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Int {
        var wanted: [PartitionRange] = []
        for startNs in startsNs {
            let range = self.range(startNs: startNs)
            if !cache.covers(table: table, range) { wanted.append(range) }
        }
        guard !wanted.isEmpty else { return 0 }
        var createdCount = 0
        var backoff = Backoff(minMs: 50, maxMs: 1_000)
        while true {
            do throws(DatabaseError) {
                createdCount += try createSome(
                    table, wanted, on: &connection, deadlineNs: deadlineNs)
                if wanted.allSatisfy({ cache.covers(table: table, $0) }) { return createdCount }
            } catch {
                let isWorthRetry = error.disposition == .transient && connection.isUsable
                guard isWorthRetry, Clock.monotonicNs < deadlineNs else { throw error }
                if connection.stop.wait(delayMs: backoff.nextDelayMs()) { throw .stopped() }
            }
        }
    }

    /// The job that keeps partitions ready: those that hold any time from now to `aheadNs` from
    /// now.
    ///
    /// Returns how many were made.
    package func ensureAhead(
        tables: [String], nowUnixNs: Int64, aheadNs: Int64, on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Int {
        precondition(aheadNs >= 0 && nowUnixNs <= Int64.max - aheadNs)
        let startsNs = stride(
            from: interval.start(of: nowUnixNs), through: nowUnixNs + aheadNs,
            by: Int(interval.lengthNs))
        var createdCount = 0
        for table in tables {
            createdCount += try ensure(
                table: table, startsNs: startsNs, on: &connection, deadlineNs: deadlineNs)
        }
        return createdCount
    }

    /// The partitions that `ensure` would make so that `table` can take every time from `fromNs` to
    /// `throughNs`. Changes nothing.
    package func missing(
        table: String, fromNs: Int64, throughNs: Int64, on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> [(name: String, range: PartitionRange)] {
        let known = try PartitionMaker.load(table, on: &connection, deadlineNs: deadlineNs)
        let startsNs = stride(
            from: interval.start(of: fromNs), through: throughNs, by: Int(interval.lengthNs))
        return startsNs.flatMap { known.gaps(in: range(startNs: $0)) }.map { gap in
            let name = PartitionName.name(
                table: table, range: gap, intervalNs: interval.lengthNs)
            return (name, gap)
        }
    }

    /// The interval that begins at `startNs`; the last one that bigint can express is cut short.
    private func range(startNs: Int64) -> PartitionRange {
        let (endNs, isOverflowing) = startNs.addingReportingOverflow(interval.lengthNs)
        return PartitionRange(fromNs: startNs, untilNs: isOverflowing ? .max : endNs)
    }
}

extension PartitionMaker {
    /// One transaction: looks again under the lock, fills the first gaps, and leaves what is known
    /// in the cache.
    private func createSome(
        _ table: String, _ wanted: [PartitionRange], on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Int {
        var known = PartitionRanges()
        let createdCount = try connection.withTransaction(deadlineNs: deadlineNs) {
            connection throws(DatabaseError) in
            try lock(&connection, deadlineNs: deadlineNs)
            known = try PartitionMaker.load(table, on: &connection, deadlineNs: deadlineNs)
            let gaps = wanted.flatMap { known.gaps(in: $0) }
            for gap in gaps.prefix(PartitionMaker.createdPerTransactionMax) {
                try create(table, gap, on: &connection, deadlineNs: deadlineNs)
                known.insert(gap)
            }
            return min(gaps.count, PartitionMaker.createdPerTransactionMax)
        }
        cache.store(table: table, known)
        return createdCount
    }

    private func lock(_ connection: inout PGConnection, deadlineNs: UInt64) throws(DatabaseError) {
        try connection.execute(
            """
            SET LOCAL lock_timeout = \(PartitionMaker.lockTimeoutMs);
            SELECT pg_advisory_xact_lock\(AdvisoryLock.partitions.key)
            """, deadlineNs: deadlineNs)
    }

    /// Makes the table first and attaches it then: `CREATE TABLE ... PARTITION OF` would take
    /// ACCESS EXCLUSIVE on the parent, which waits for every writer and makes every other wait;
    /// ATTACH takes SHARE UPDATE EXCLUSIVE, which neither reading nor writing minds. The new table
    /// is empty, so that nothing is scanned.
    private func create(
        _ table: String, _ range: PartitionRange, on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) {
        let name = PartitionName.name(table: table, range: range, intervalNs: interval.lengthNs)
        try connection.execute(
            """
            CREATE TABLE \(name) (LIKE \(table) INCLUDING ALL EXCLUDING COMMENTS);
            ALTER TABLE \(table) ATTACH PARTITION \(name)
                FOR VALUES FROM ('\(range.fromNs)') TO ('\(range.untilNs)')
            """, deadlineNs: deadlineNs)
    }

    /// The partitions that `table` has, by the server's catalogue. MINVALUE and MAXVALUE come as
    /// NULL.
    static func load(
        _ table: String, on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> PartitionRanges {
        var parameters = QueryParameters()
        parameters.append(table)
        let result = try connection.query(
            """
            SELECT (regexp_match(bound, 'FROM \\(''?(-?\\d+)'))[1]::int8,
                (regexp_match(bound, 'TO \\(''?(-?\\d+)'))[1]::int8
            FROM pg_inherits
            JOIN pg_class ON pg_class.oid = inhrelid
            CROSS JOIN pg_get_expr(relpartbound, inhrelid) AS bound
            WHERE inhparent = $1::regclass AND NOT inhdetachpending AND bound <> 'DEFAULT'
            """, parameters, deadlineNs: deadlineNs)
        return PartitionRanges(
            (0..<result.rowCount).map { row in
                PartitionRange(
                    fromNs: result.integer(row: row, column: 0) ?? .min,
                    untilNs: result.integer(row: row, column: 1) ?? .max)
            })
    }
}
