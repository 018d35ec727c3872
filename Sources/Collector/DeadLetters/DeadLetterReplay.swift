// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import Logging
package import Postgres
internal import Ring
internal import Rows

/// Tries dead letters again: the way of an export from the ring to COMMIT, in a process of its own.
///
/// A letter is deleted in the transaction that stores its item, so an attempt that is cut short,
/// repeated, or made by two at once stores nothing twice. Not Sendable; blocks.
package struct DeadLetterReplay {
    /// What became of the letters that were tried.
    package struct Summary: Sendable {
        /// Letters that were meant.
        package var count: Int64 = 0
        /// Stored, and no letters any more.
        package var storedCount: Int64 = 0
        /// Still letters; their retry count went up.
        package var failedCount: Int64 = 0
        /// Gone, or taken by another replay meanwhile.
        package var skippedCount: Int64 = 0
        /// Why the first of those that failed did.
        package var firstFailure: String?

        package init() {}
    }

    private let configuration: Configuration
    private let settings: DatabaseSettings

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        settings = DatabaseSettings(configuration)
    }

    /// Tries up to `limit` letters that `filter` means, oldest first.
    package func run(
        _ filter: DeadLetterFilter, limit: Int, progress: (Summary) -> Void
    ) throws(DaemonError) -> Summary {
        let maintenance = DatabaseMaintenance(configuration)
        var connection = try MigratedDatabase(settings: maintenance.settings).connect()
        do throws(DatabaseError) {
            var session = ReplaySession(configuration, settings)
            try session.prepare(on: &connection)
            let total = try connection.countDeadLetters(
                filter, deadlineNs: settings.statementDeadlineNs)
            session.summary.count = min(total.count, Int64(limit))
            var afterID: Int64 = 0
            var leftCount = limit
            while leftCount > 0 {
                let page = try connection.listDeadLetters(
                    filter, afterID: afterID,
                    limit: min(leftCount, ReplaySession.letterCountMax),
                    deadlineNs: settings.statementDeadlineNs)
                guard let last = page.last else { break }
                for group in ReplaySession.groups(page) {
                    try session.replay(group, on: &connection)
                    progress(session.summary)
                }
                afterID = last.id
                leftCount -= page.count
            }
            return session.summary
        } catch {
            throw DaemonError(error, settings)
        }
    }
}

/// A writer without clients.
private struct ReplaySession: ~Copyable {
    /// Letters in one transaction, and bytes of their requests (one may be larger).
    static let letterCountMax = 500
    private static let groupSizeBytesMax: Int64 = 8 << 20

    var summary = DeadLetterReplay.Summary()
    private let shared: WriterShared
    private let limits: DecodeLimits
    private let outcomes = AckLedger {}
    private var transaction: Transaction
    private var batch = ExportBatch(exportCountMax: ReplaySession.letterCountMax)

    init(_ configuration: Configuration, _ database: DatabaseSettings) {
        let counters = Counters()
        let ring = BoundedRing(slotCountMax: ReplaySession.letterCountMax)
        let logger = Logger(label: "replay") { _ in SwiftLogNoOpLogHandler() }
        shared = WriterShared(
            ring: ring, budget: MemoryBudget(limitBytes: configuration.memory.budgetBytes),
            counters: counters, retryHint: RetryHint(ring: ring, counters: counters),
            stop: StopSignal(), logger: logger, database: database,
            partitions: PartitionMaker(
                interval: configuration.partitions.interval, cache: PartitionCache()),
            accepted: AcceptedTimes(
                pastNs: UInt64(configuration.partitions.acceptPastNs),
                futureNs: UInt64(configuration.partitions.acceptFutureNs)),
            promotion: CurrentPromotion(configuration.attributes.rules),
            sightings: SightingNotes(),
            outage: OutageStore(spool: nil, counters: counters, logger: logger),
            committed: CommittedExports(windowNs: 0),
            commits: CommitMarks(),
            losses: LossNotes(
                tenantAttribute: configuration.retention.tenantAttribute, counters: counters),
            settings: WriterSettings(configuration))
        limits =
            DecodeLimits(
                unpackedSizeBytesMax: configuration.limits.unpackedSizeBytesMax
            ).ofStored
        transaction = Transaction(name: "replay", shared: shared, progress: WriterProgress())
    }

    mutating func prepare(on connection: inout PGConnection) throws(DatabaseError) {
        shared.accepted.follow(
            try connection.loadRetentionPolicy(deadlineNs: shared.database.statementDeadlineNs))
        try transaction.adopt(&connection)
    }

    /// Parts of a page that one transaction can hold.
    static func groups(_ page: [StoredDeadLetter]) -> [[StoredDeadLetter]] {
        var groups: [[StoredDeadLetter]] = []
        var sizeBytes: Int64 = 0
        for letter in page {
            if groups.isEmpty || sizeBytes + letter.sizeBytes > groupSizeBytesMax {
                groups.append([])
                sizeBytes = 0
            }
            groups[groups.count - 1].append(letter)
            sizeBytes += letter.sizeBytes
        }
        return groups
    }

    mutating func replay(
        _ letters: [StoredDeadLetter], on connection: inout PGConnection
    ) throws(DatabaseError) {
        let byID = Dictionary(uniqueKeysWithValues: letters.map { ($0.id, $0) })
        let undecodableCount = try load(letters.map(\.id), byID, on: &connection)
        summary.skippedCount += Int64(letters.count - batch.count - undecodableCount)
        summary.failedCount += Int64(undecodableCount)
        transaction.exportCountMax = .max
        while !batch.isEmpty { try storeSome(on: &connection) }
    }

    /// Fills the batch with what is still there; returns how many cannot be decoded any more.
    private mutating func load(
        _ ids: [Int64], _ letters: [Int64: StoredDeadLetter], on connection: inout PGConnection
    ) throws(DatabaseError) -> Int {
        var identities: [Fingerprint: Int64] = [:]
        var undecodableCount = 0
        var stored = 0
        try connection.readDeadLetterRequests(
            ids, deadlineNs: shared.database.statementDeadlineNs
        ) { id, request in
            guard let letter = letters[id] else { return }
            let identity = Fingerprint(high: UInt64(id), low: 0)
            identities[identity] = id
            let export = try? Decoder.decode(
                signal: letter.signal, body: request, limits: limits, budget: shared.budget)
            guard let export else {
                undecodableCount += 1
                return
            }
            let pending = PendingExport(
                export: export, fingerprint: identity,
                ticket: outcomes.open(AckAddress(connectionID: UInt64(id), streamID: 0)),
                cancellation: Cancellation(), deadlineNs: .max,
                arrivalUnixNs: letter.receivedUnixNs)
            _ = shared.ring.tryPush(pending)
            stored += 1
        }
        transaction.replayedIDs = identities
        if stored > 0 { _ = shared.ring.take(into: &batch, itemCountMax: .max) }
        return undecodableCount
    }

    private mutating func storeSome(on connection: inout PGConnection) throws(DatabaseError) {
        let stop: Transaction.Stop
        do throws(Transaction.Stop) {
            let exportCount = try transaction.store(batch, on: &connection)
            note(exportCount)
            return
        } catch { stop = error }
        switch stop {
        case .duplicates(let gone):
            summary.skippedCount += Int64(gone.count)
            batch.settleSome { gone[$0.fingerprint] != nil ? .accepted : nil }
        case .database(let error) where error.disposition == .rejectedContent:
            if transaction.exportCountMax > 1 {
                transaction.exportCountMax = 1
            } else {
                transaction.condemnFirst(error)
            }
        case .database(let error): throw error
        case .overBudget, .deadLettersTooLarge, .deadItemsTooMany:
            throw .unexpected("a dead letter takes more memory than memory.budget_bytes")
        }
    }

    private mutating func note(_ exportCount: Int) {
        for index in 0..<exportCount {
            let result = transaction.result(at: index)
            guard result.deadItemCount > 0 else {
                summary.storedCount += 1
                continue
            }
            summary.failedCount += 1
            summary.firstFailure = summary.firstFailure ?? transaction.firstReason(at: index)
        }
        batch.settleFirst(exportCount) { _, _ in .accepted }
    }
}
