// SPDX-License-Identifier: Apache-2.0
package import Base
package import Decode
package import Rows

/// The rows of a batch of exports, encoded for COPY, one `TableBatch` per table.
///
/// Ownership: owns the encoded bytes, which are charged to the budget; nothing in it refers to the
/// exports. Thread: confined to one writer. Reused: `removeAll` begins the next batch.
package struct CopyBatch: ~Copyable {
    private var tables: InlineArray<6, TableBatch>
    private var exportCount = 0
    private let budget: MemoryBudget
    /// Charged for the tallies that were handed out.
    private var talliesSizeBytes = 0

    package init(interval: PartitionInterval, budget: MemoryBudget) {
        self.budget = budget
        precondition(FactTable.allCases.count == 6)
        tables = InlineArray { index in
            TableBatch(table: FactTable.allCases[index], interval: interval, budget: budget)
        }
    }

    deinit { budget.release(talliesSizeBytes) }

    package subscript(table: FactTable) -> TableBatch {
        _read { yield tables[table.rawValue] }
        _modify { yield &tables[table.rawValue] }
    }

    /// Rows of all tables.
    package var rowCount: Int {
        FactTable.allCases.reduce(0) { $0 + tables[$1.rawValue].rowCount }
    }

    /// Encoded bytes of all tables.
    package var sizeBytes: Int {
        FactTable.allCases.reduce(0) { $0 + tables[$1.rawValue].buffer.count }
    }

    /// Memory held for all tables, used or not.
    package var heldSizeBytes: Int {
        FactTable.allCases.reduce(0) { $0 + tables[$1.rawValue].buffer.capacityBytes }
    }

    /// Adds the rows of an export that `builder` has resolved at `exportIndex`.
    ///
    /// Returns nil, adding nothing, when the memory budget is spent. Exports are added in order.
    /// What the tally holds is charged until `removeAll`.
    package mutating func append(
        _ export: borrowing Export, at exportIndex: Int, builder: inout RowBuilder,
        context: EmissionContext
    ) -> RowTally? {
        precondition(exportIndex == exportCount, "exports are added in order")
        for index in tables.indices { tables[index].beginExport() }
        if let tally = builder.emitRows(of: export, at: exportIndex, context: context, into: &self),
            budget.tryReserve(tally.heldSizeBytes)
        {
            talliesSizeBytes += tally.heldSizeBytes
            exportCount += 1
            return tally
        }
        for index in tables.indices { tables[index].dropExport() }
        return nil
    }

    /// Sorts attributes by `promotion` from now on. Only while there are no rows.
    package mutating func adopt(_ promotion: PromotionSet) {
        for index in tables.indices { tables[index].adopt(promotion) }
    }

    /// Attributes of the rows that are not where one may look for them.
    package var attributeCounts: AttributeCounts {
        var sum = AttributeCounts()
        for index in tables.indices {
            let counts = tables[index].attributeCounts
            sum.dropped += counts.dropped
            sum.otherType += counts.otherType
        }
        return sum
    }

    /// Whether rows want columns that are not listed. Then all rows are to be encoded again, after
    /// `widen`: see `AttributeSorter`.
    package var isWideningNeeded: Bool {
        FactTable.allCases.contains { tables[$0.rawValue].sorter.isWideningNeeded }
    }

    /// Forgets all rows, and lists the columns that they wanted.
    package mutating func widen(keptSizeBytes: Int) {
        for index in tables.indices { tables[index].widen() }
        removeAll(keptSizeBytes: keptSizeBytes)
    }

    /// Ends all tables that have rows; no rows can be added after it. False past the budget.
    package mutating func seal() -> Bool {
        for index in tables.indices {
            guard tables[index].seal() else { return false }
        }
        return true
    }

    /// Forgets all rows, and gives back the memory of tables that hold more than `keptSizeBytes`.
    package mutating func removeAll(keptSizeBytes: Int) {
        exportCount = 0
        budget.release(talliesSizeBytes)
        talliesSizeBytes = 0
        for index in tables.indices { tables[index].removeAll(keptSizeBytes: keptSizeBytes) }
    }
}

extension CopyBatch: RowSink {
    package mutating func append(_ row: borrowing SpanRow, itemOrdinal: Int) -> Bool {
        tables[FactTable.spans.rawValue].append(row, itemOrdinal: itemOrdinal)
    }

    package mutating func append(_ row: borrowing LogRow, itemOrdinal: Int) -> Bool {
        tables[FactTable.logs.rawValue].append(row, itemOrdinal: itemOrdinal)
    }

    package mutating func append(_ row: borrowing NumberPointRow, itemOrdinal: Int) -> Bool {
        tables[FactTable.numberPoints.rawValue].append(row, itemOrdinal: itemOrdinal)
    }

    package mutating func append(_ row: borrowing HistogramPointRow, itemOrdinal: Int) -> Bool {
        tables[FactTable.histogramPoints.rawValue].append(row, itemOrdinal: itemOrdinal)
    }

    package mutating func append(
        _ row: borrowing ExponentialHistogramPointRow, itemOrdinal: Int
    ) -> Bool {
        tables[FactTable.expHistogramPoints.rawValue].append(row, itemOrdinal: itemOrdinal)
    }

    package mutating func append(_ row: borrowing SummaryPointRow, itemOrdinal: Int) -> Bool {
        tables[FactTable.summaryPoints.rawValue].append(row, itemOrdinal: itemOrdinal)
    }
}
