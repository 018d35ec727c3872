// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Decode
import OTLPFixtures
import Rows

/// What stands between Decode and Postgres, with a database of its own.
struct Station: ~Copyable {
    let budget: MemoryBudget
    var builder: RowBuilder
    var batch: CopyBatch
    var database = FakeDatabase()
    /// How often a batch was encoded.
    private(set) var encodingCount = 0
    var context = EmissionContext(
        window: AcceptWindow(
            nowUnixNs: baseUnixNs, pastNs: 86_400_000_000_000, futureNs: 3_600_000_000_000),
        arrivalUnixNs: baseUnixNs + 5)

    init(
        limitBytes: Int = 64 << 20, interval: PartitionInterval = .oneDay,
        limits: RowLimits = RowLimits()
    ) {
        budget = MemoryBudget(limitBytes: limitBytes)
        builder = RowBuilder(limits: limits, budget: budget)
        batch = CopyBatch(interval: interval, budget: budget)
        builder.logIDs.add(1_000..<1_000_000)
    }

    /// One batch of exports from the beginning to the end.
    mutating func run(_ boxes: [ExportBox]) throws -> [RowTally] {
        batch.removeAll(keptSizeBytes: 1 << 20)
        resolve(boxes)
        var tallies: [RowTally] = []
        let logIDs = builder.logIDs
        repeat {
            builder.logIDs = logIDs
            if batch.isWideningNeeded { batch.widen(keptSizeBytes: 1 << 20) }
            encodingCount += 1
            tallies.removeAll()
            for (index, box) in boxes.enumerated() {
                guard let tally = append(box, at: index) else { throw OverBudget() }
                tallies.append(tally)
            }
        } while batch.isWideningNeeded
        guard seal() else { throw OverBudget() }
        return tallies
    }

    /// Takes the rules for the batches that follow.
    mutating func adopt(_ promotion: PromotionSet) {
        batch.removeAll(keptSizeBytes: 0)
        batch.adopt(promotion)
        builder.drops = promotion.drops
    }

    func layout(_ table: FactTable) -> TableLayout { batch[table].layout }

    struct OverBudget: Error {}

    /// All ids of a new batch.
    mutating func resolve(_ boxes: [ExportBox]) {
        builder.beginBatch()
        for (index, box) in boxes.enumerated() {
            while builder.resolveDimensions(of: box.export, at: index) == .missingIsFull {
                upsert()
            }
        }
        upsert()
        for (index, box) in boxes.enumerated() {
            while builder.resolveSeries(of: box.export, at: index) == .missingIsFull { upsert() }
        }
        upsert()
    }

    mutating func append(_ box: ExportBox, at index: Int) -> RowTally? {
        batch.append(box.export, at: index, builder: &builder, context: context)
    }

    mutating func seal() -> Bool { batch.seal() }

    mutating func upsert() {
        guard !builder.missing.isEmpty else { return }
        database.upsert(&builder.missing)
        builder.learn()
    }

    func rowCount(_ table: FactTable) -> Int { batch[table].rowCount }

    func partitionStartsUnixNs(_ table: FactTable) -> [Int64] { batch[table].partitionStartsUnixNs }

    /// Index of the export, ordinal of the item.
    func source(ofRow row: Int, in table: FactTable) -> [Int] {
        let source = batch[table].source(ofRow: row)
        return [source.exportIndex, source.itemOrdinal]
    }

    /// Rows of one table, read back.
    func rows(_ table: FactTable) throws -> [CopyRow] {
        guard !batch[table].isEmpty else { return [] }
        return try CopyReader.rows(unsafe Array(batch[table].bytes.buffer)).map { fields in
            try CopyRow(layout: batch[table].layout, fields: fields)
        }
    }
}

/// The rows that one export becomes.
func rows(_ signal: Signal, _ table: FactTable, _ bytes: [UInt8]) throws -> [CopyRow] {
    var station = Station()
    _ = try station.run([ExportBox(signal, bytes, budget: station.budget)])
    return try station.rows(table)
}
