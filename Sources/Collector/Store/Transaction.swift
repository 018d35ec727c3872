// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import Postgres
internal import Ring
internal import Rows

/// The making of one transaction out of the first exports of a batch: dimensions, rows, commit.
///
/// Ownership: one writer; caches and buffers are kept from one transaction to the next.
/// Thread: the writer's.
struct Transaction: ~Copyable {
    let shared: WriterShared
    let progress: WriterProgress
    /// What was shown of the look-ups of `builder` before.
    private var shownLookUps = (count: 0, missCount: 0, evictedCount: 0)
    private var builder: RowBuilder
    var copies: CopyBatch
    /// The rules by which attributes are sorted, as `CurrentPromotion.generation`.
    private var promotionGeneration = 0
    /// The server lacks a column that it should have.
    var isPromotionStale = false
    /// What became of the items of each export in the transaction.
    var tallies: [RowTally] = []
    /// Rows that PostgreSQL refused.
    var refused = RefusedRows()
    /// What was written instead of rows, per export; empty where nothing was.
    var deadSummaries: [DeadSummary] = []
    var letters: DeadLetterBuffer
    var lettersWrittenCount = 0
    /// What this transaction adds to the loss ledger.
    var losses: LossEntries
    var admission = TenantAdmission()
    var packer = SingleItemPacker()
    /// Why the first export goes to the dead letters as a whole, the next time.
    private var condemnation: DatabaseError?

    /// The dead letter that each export is, where the batch is a replay of them.
    var replayedIDs: [Fingerprint: Int64]?

    /// Exports that may share the next transaction.
    var exportCountMax = Int.max

    /// What stands in the way of a transaction.
    enum Stop: Error {
        case database(DatabaseError)
        /// The memory budget has no room for the rows of the batch's first export; `isAlone` when
        /// hardly anything else holds memory, so that it never will have.
        case overBudget(isAlone: Bool)
        /// These exports are committed already, with these outcomes; nothing was written.
        case duplicates([Fingerprint: Outcome])
        /// An export has more faulty items than are kept; nothing was written.
        case deadItemsTooMany(first: ItemFault)
        /// The dead letters of this transaction would be more than may be written at once.
        case deadLettersTooLarge
    }

    /// `name` tells the writers of a daemon apart.
    init(name: String, shared: WriterShared, progress: WriterProgress) {
        losses = LossEntries(source: "\(shared.losses.instance)/\(name)")
        self.shared = shared
        self.progress = progress
        letters = DeadLetterBuffer(budget: shared.budget)
        builder = RowBuilder(limits: shared.settings.rowLimits, budget: shared.budget)
        copies = CopyBatch(interval: shared.settings.interval, budget: shared.budget)
    }

    /// Rows and dead letters committed for, and outcome of, the export at `index`, after `store`
    /// has returned.
    func result(at index: Int) -> (rowCount: Int, deadItemCount: Int, outcome: Outcome) {
        guard let summary = deadSummaries.first(where: { $0.exportIndex == index }) else {
            return (tallies[index].rowCount, 0, .accepted)
        }
        let rowCount = tallies[index].rowCount - summary.refusedRowCount
        return (
            rowCount, summary.itemCount,
            .partial(rejectedItemCount: summary.itemCount, message: summary.text)
        )
    }

    /// Why the first item of the export at `index` is no row.
    func firstReason(at index: Int) -> String? {
        deadSummaries.first { $0.exportIndex == index }?.firstReason
    }

    /// Has the next `store` put all items of the first export among the dead letters.
    mutating func condemnFirst(_ error: DatabaseError) { condemnation = error }

    /// Gives back what is kept for the next batch: nobody else could use it meanwhile, and a large
    /// request would be told to come back for ever.
    mutating func giveBackMemory() { copies.removeAll(keptSizeBytes: 0) }

    /// Prepares for a new connection: it may lead to another server than before, or to the same one
    /// restored, so ids learned before may not exist there.
    mutating func adopt(_ connection: inout PGConnection) throws(DatabaseError) {
        builder.forgetDimensions()
        shared.committed.removeAll()
        try shared.promotion.refresh(on: &connection, deadlineNs: deadlineNs)
        isPromotionStale = false
        builder.operationCountInDatabase = try connection.countOperations(
            limit: shared.settings.rowLimits.operationCountMax, deadlineNs: deadlineNs)
    }

    /// Commits as many of the first exports as fit one transaction; returns how many.
    mutating func store(
        _ batch: borrowing ExportBatch, on connection: inout PGConnection
    ) throws(Stop) -> Int {
        defer { copies.removeAll(keptSizeBytes: shared.settings.keptSizeBytes) }
        refused.removeAll()
        admission.prune()
        deadSummaries.removeAll(keepingCapacity: true)
        if let error = condemnation.take() {
            condemn(batch, error)
            try commit(batch, exportCount: 1, on: &connection)
            return 1
        }
        try takePromotion(on: &connection)
        builder.beginBatch()
        var exportCount = try resolveDimensions(of: batch, on: &connection)
        exportCount = try resolveSeries(of: batch, exportCount: exportCount, on: &connection)
        try reserveLogIDs(for: batch, exportCount: exportCount, on: &connection)
        exportCount = try encode(batch, exportCount: exportCount)
        try checkFaultyItems(of: batch)
        guard copies.seal() else { throw overBudget(batch) }
        try commit(batch, exportCount: exportCount, on: &connection)
        shared.sightings.note(builder)
        countAttributes()
        countLookUps()
        return exportCount
    }

    // MARK: Promotion

    /// Goes by the rules that hold now, for this transaction to its end.
    private mutating func takePromotion(on connection: inout PGConnection) throws(Stop) {
        if isPromotionStale {
            do throws(DatabaseError) {
                try shared.promotion.refresh(on: &connection, deadlineNs: deadlineNs)
            } catch { throw .database(error) }
            isPromotionStale = false
        }
        guard shared.promotion.generation != promotionGeneration else { return }
        let (generation, set) = shared.promotion.current
        copies.adopt(set)
        builder.drops = set.drops
        promotionGeneration = generation
    }

    private func countAttributes() {
        let counts = copies.attributeCounts
        let droppedCount = counts.dropped + builder.droppedAttributeCount
        if droppedCount > 0 { shared.counters.add(.attributesDropped, droppedCount) }
        if counts.otherType > 0 { shared.counters.add(.attributesOfOtherType, counts.otherType) }
    }

    /// Once per transaction, so that look-ups themselves cost no more for being counted.
    private mutating func countLookUps() {
        let counters = shared.counters
        let missCount = builder.missCount - shownLookUps.missCount
        let hitCount = builder.lookUpCount - shownLookUps.count - missCount
        counters.add(.dimensionHits, hitCount)
        counters.add(.dimensionMisses, missCount)
        counters.add(.dimensionEvictions, builder.evictedCount - shownLookUps.evictedCount)
        shownLookUps = (builder.lookUpCount, builder.missCount, builder.evictedCount)
        progress.dimensionEntryCount = builder.cachedCount
    }

    // MARK: Dimensions

    private mutating func resolveDimensions(
        of batch: borrowing ExportBatch, on connection: inout PGConnection
    ) throws(Stop) -> Int {
        try resolve(distinctCount(batch), of: batch, on: &connection) { builder, index in
            batch.withExport(index) { builder.resolveDimensions(of: $0.export, at: index) }
        }
    }

    private mutating func resolveSeries(
        of batch: borrowing ExportBatch, exportCount: Int, on connection: inout PGConnection
    ) throws(Stop) -> Int {
        try resolve(exportCount, of: batch, on: &connection) { builder, index in
            batch.withExport(index) { builder.resolveSeries(of: $0.export, at: index) }
        }
    }

    /// The first exports that may share a transaction: up to a repetition, which is a retry that
    /// came before the first attempt was stored. It is recognised once that is committed.
    private func distinctCount(_ batch: borrowing ExportBatch) -> Int {
        let exportCount = min(batch.count, exportCountMax)
        guard shared.settings.dedupWindowSeconds > 0 || shared.outage.spool != nil else {
            return exportCount
        }
        var seen: Set<Fingerprint> = []
        for index in 0..<exportCount {
            let isNew = batch.withExport(index) { seen.insert($0.fingerprint).inserted }
            if !isNew { return index }
        }
        return exportCount
    }

    /// Takes `step` for one export after the other, writing what is missing in between; returns for
    /// how many exports it went through before the memory budget was spent.
    private mutating func resolve(
        _ exportCount: Int, of batch: borrowing ExportBatch, on connection: inout PGConnection,
        _ step: (inout RowBuilder, Int) -> RowBuilder.Resolution
    ) throws(Stop) -> Int {
        var index = 0
        resolving: while index < exportCount {
            switch step(&builder, index) {
            case .resolved: index += 1
            case .missingIsFull: try writeMissing(on: &connection)
            case .overBudget:
                guard index > 0 else { throw overBudget(batch) }
                builder.truncate(exportCount: index)
                break resolving
            }
        }
        try writeMissing(on: &connection)
        return index
    }

    private mutating func writeMissing(on connection: inout PGConnection) throws(Stop) {
        guard !builder.missing.isEmpty else { return }
        do throws(DatabaseError) {
            try connection.writeDimensions(&builder.missing, deadlineNs: deadlineNs)
        } catch { throw .database(error) }
        builder.learn()
    }

    private mutating func reserveLogIDs(
        for batch: borrowing ExportBatch, exportCount: Int, on connection: inout PGConnection
    ) throws(Stop) {
        var recordCount = 0
        for index in 0..<exportCount {
            recordCount += batch.withExport(index) {
                $0.export.signal == .logs ? $0.export.itemCount : 0
            }
        }
        while builder.logIDs.shortage(forRecordCount: recordCount) > 0 {
            do throws(DatabaseError) {
                let block = try connection.reserveLogIDs(deadlineNs: deadlineNs)
                builder.logIDs.add(block.first..<block.first + block.count)
            } catch { throw .database(error) }
        }
    }

    // MARK: Rows

    /// Encodes what fits; again, where rows want columns that are not listed yet.
    private mutating func encode(
        _ batch: borrowing ExportBatch, exportCount: Int
    ) throws(Stop) -> Int {
        let logIDs = builder.logIDs
        while true {
            let encodedCount = try encodeOnce(batch, exportCount: exportCount)
            guard copies.isWideningNeeded else { return encodedCount }
            copies.widen(keptSizeBytes: .max)
            builder.logIDs = logIDs
        }
    }

    private mutating func encodeOnce(
        _ batch: borrowing ExportBatch, exportCount: Int
    ) throws(Stop) -> Int {
        tallies.removeAll(keepingCapacity: true)
        let nowUnixNs = Clock.unixNs
        for index in 0..<exportCount {
            let tally = batch.withExport(index) { pending in
                let window = shared.accepted.window(
                    of: pending.export.signal, nowUnixNs: nowUnixNs)
                return copies.append(
                    pending.export, at: index, builder: &builder,
                    context: EmissionContext(window: window, arrivalUnixNs: pending.arrivalUnixNs))
            }
            guard let tally else {
                guard index > 0 else { throw overBudget(batch) }
                return index
            }
            tallies.append(tally)
            if copies.sizeBytes >= shared.settings.sizeBytesMax { return index + 1 }
        }
        return exportCount
    }

    /// A request of a few KB can hold so many faulty items that their letters would keep a writer
    /// for seconds. What came out of the spool was acknowledged, and its letters are written.
    private func checkFaultyItems(of batch: borrowing ExportBatch) throws(Stop) {
        for (index, tally) in tallies.enumerated()
        where tally.rejectedItemCount > Limits.deadItemCountMax {
            guard let fault = tally.firstFault,
                batch.withExport(index, { $0.spoolNumber == nil })
            else { continue }
            throw .deadItemsTooMany(first: fault)
        }
    }

    func overBudget(_ batch: borrowing ExportBatch) -> Stop {
        let ownBytes = batch.withExport(0) { $0.export.heldSizeBytes } + copies.heldSizeBytes
        let othersBytes = shared.budget.inUseBytes - ownBytes
        return .overBudget(isAlone: othersBytes < shared.budget.limitBytes / 8)
    }

    // MARK: Commit

    /// Sends the rows until those that PostgreSQL takes are committed, and the others as dead
    /// letters.
    private mutating func commit(
        _ batch: borrowing ExportBatch, exportCount: Int, on connection: inout PGConnection
    ) throws(Stop) {
        let notes = (0..<exportCount).map { batch.withExport($0) { shared.outage.note(of: $0) } }
        while true {
            let known: Set<Fingerprint>
            do throws(Stop) {
                let startNs = Clock.monotonicNs
                known = try attempt(batch, noting: notes, on: &connection)
                if known.isEmpty { progress.commitLatency.record(Clock.monotonicNs - startNs) }
            } catch {
                guard case .database(let cause) = error, setAside(cause) else { throw error }
                continue
            }
            guard known.isEmpty else {
                throw .duplicates(try outcomes(of: known, on: &connection))
            }
            if ledgerWindow != nil {
                shared.committed.insert(
                    accepted(notes.map(\.fingerprint)), nowNs: Clock.monotonicNs)
            }
            return checkReported(batch, on: connection)
        }
    }

    var ledgerWindow: LedgerWindow? {
        let lengthSeconds = shared.settings.dedupWindowSeconds
        guard lengthSeconds > 0, replayedIDs == nil else { return nil }
        #if DEBUG
        if TestBreak.isOn(.noLedger) { return nil }
        #endif
        return LedgerWindow(lengthSeconds: lengthSeconds)
    }

    func makePartitions(on connection: inout PGConnection) throws(DatabaseError) {
        for table in FactTable.allCases where copies[table].rowCount > 0 {
            _ = try shared.partitions.ensure(
                table: table.name, startsNs: copies[table].partitionStartsUnixNs, on: &connection,
                deadlineNs: deadlineNs)
        }
    }

    var deadlineNs: UInt64 { shared.database.statementDeadlineNs }
}
