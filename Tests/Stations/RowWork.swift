// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Collector
internal import Copy
internal import Decode
internal import OTLPFixtures
internal import Rows

/// A request that is decoded before anything is measured.
private final class DecodedInput {
    let exports: [ExportHolder]

    final class ExportHolder {
        let export: Export
        init(_ export: consuming Export) { self.export = export }
    }

    init(_ input: Input, budget: MemoryBudget) {
        exports = (0..<input.requestCount).map {
            ExportHolder(input.decoded($0, budget: budget))
        }
    }
}

/// Finds the ids of an export as a writer does, with a database that answers at once.
private struct Resolver: ~Copyable {
    var builder: RowBuilder
    private var database = FakeDatabase()
    let context = EmissionContext(
        window: AcceptWindow(
            nowUnixNs: Input.unixNs, pastNs: 86_400_000_000_000,
            futureNs: 86_400_000_000_000),
        arrivalUnixNs: Input.unixNs)

    init(budget: MemoryBudget) {
        builder = RowBuilder(limits: RowLimits(), budget: budget)
        builder.drops = PromotionSet.ofProgram().drops
        builder.logIDs.add(1..<Int64.max / 2)
    }

    mutating func resolve(_ export: borrowing Export) {
        builder.beginBatch()
        while builder.resolveDimensions(of: export, at: 0) == .missingIsFull { upsert() }
        upsert()
        while builder.resolveSeries(of: export, at: 0) == .missingIsFull { upsert() }
        upsert()
    }

    private mutating func upsert() {
        guard !builder.missing.isEmpty else { return }
        database.upsert(&builder.missing)
        builder.learn()
    }
}

/// Counts rows.
private struct NullSink: RowSink {
    var rowCount = 0

    mutating func append(_ row: borrowing SpanRow, itemOrdinal: Int) -> Bool { count() }
    mutating func append(_ row: borrowing LogRow, itemOrdinal: Int) -> Bool { count() }
    mutating func append(_ row: borrowing NumberPointRow, itemOrdinal: Int) -> Bool { count() }
    mutating func append(_ row: borrowing HistogramPointRow, itemOrdinal: Int) -> Bool { count() }
    mutating func append(
        _ row: borrowing ExponentialHistogramPointRow, itemOrdinal: Int
    ) -> Bool { count() }
    mutating func append(_ row: borrowing SummaryPointRow, itemOrdinal: Int) -> Bool { count() }

    private mutating func count() -> Bool {
        rowCount += 1
        return true
    }
}

final class RowsWork: Work {
    private let input: DecodedInput
    private var resolver: Resolver
    private var sink = NullSink()

    var doneItemCount: Int { sink.rowCount }

    init(_ input: Input) {
        let budget = MemoryBudget(limitBytes: 4 << 30)
        self.input = DecodedInput(input, budget: budget)
        resolver = Resolver(budget: budget)
    }

    func run(_ range: Range<Int>) {
        for index in range {
            let holder = input.exports[index]
            resolver.resolve(holder.export)
            let tally = resolver.builder.emitRows(
                of: holder.export, at: 0, context: resolver.context, into: &sink)
            precondition(tally?.rejectedItemCount == 0)
        }
    }
}

final class CopyWork: Work {
    private let input: DecodedInput
    private var resolver: Resolver
    private var batch: CopyBatch
    private(set) var doneItemCount = 0

    private static let keptSizeBytes = 64 << 20

    init(_ input: Input) {
        let budget = MemoryBudget(limitBytes: 4 << 30)
        self.input = DecodedInput(input, budget: budget)
        resolver = Resolver(budget: budget)
        batch = CopyBatch(interval: .oneDay, budget: budget)
        batch.adopt(PromotionSet.ofProgram())
    }

    func run(_ range: Range<Int>) {
        for index in range { encode(input.exports[index]) }
    }

    private func encode(_ holder: DecodedInput.ExportHolder) {
        resolver.resolve(holder.export)
        var isDone = false
        while !isDone {
            let tally = batch.append(
                holder.export, at: 0, builder: &resolver.builder, context: resolver.context)
            precondition(tally?.rejectedItemCount == 0)
            // As a writer does when rows want columns that are not listed yet.
            isDone = !batch.isWideningNeeded
            if !isDone { batch.widen(keptSizeBytes: CopyWork.keptSizeBytes) }
        }
        precondition(batch.seal())
        doneItemCount += batch.rowCount
        batch.removeAll(keptSizeBytes: CopyWork.keptSizeBytes)
    }
}
