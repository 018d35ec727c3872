// SPDX-License-Identifier: Apache-2.0
internal import Copy
internal import Postgres

/// The rows of one transaction that PostgreSQL refused, and the items that they were made of.
///
/// Memory: 24 bytes per row and at most `causeCountMax` messages, for as many rows as a batch has.
struct RefusedRows {
    /// What the server said.
    struct Cause: Equatable {
        let sqlState: String?
        let message: String
    }

    struct Item {
        let exportIndex: UInt32
        let itemOrdinal: UInt32
        let causeIndex: Int
    }

    /// Different words that are kept; what is said beyond them is replaced by the last one.
    private static let causeCountMax = 256

    private(set) var items: [Item] = []
    private(set) var causes: [Cause] = []
    /// Per table: ascending, counted from 0.
    private var rows: [[Int]] = FactTable.allCases.map { _ in [] }
    /// An error that names no row was seen: rows are looked for even where none is known.
    var isSearchNeeded = false
    /// The items stand for a whole export, of which no rows were made.
    private(set) var isWholeExport = false

    var isEmpty: Bool { items.isEmpty }

    func rows(of table: FactTable) -> [Int] { rows[table.rawValue] }

    /// Those of `table` in `range`. O(log n).
    func rows(of table: FactTable, in range: Range<Int>) -> ArraySlice<Int> {
        let all = rows[table.rawValue]
        return all[
            position(of: range.lowerBound, in: all)..<position(of: range.upperBound, in: all)]
    }

    /// Index of the first row that is not below `row`.
    private func position(of row: Int, in all: [Int]) -> Int {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle] < row { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Notes `row` of `table`, which was made of an item of `source`.
    mutating func add(
        row: Int, of table: FactTable, source: (exportIndex: Int, itemOrdinal: Int),
        _ error: DatabaseError
    ) {
        rows[table.rawValue].insert(row, at: position(of: row, in: rows[table.rawValue]))
        add(exportIndex: source.exportIndex, itemOrdinal: source.itemOrdinal, error)
    }

    /// Notes all items of the first export.
    mutating func addWholeExport(itemCount: Int, _ error: DatabaseError) {
        isWholeExport = true
        for ordinal in 0..<itemCount { add(exportIndex: 0, itemOrdinal: ordinal, error) }
    }

    private mutating func add(exportIndex: Int, itemOrdinal: Int, _ error: DatabaseError) {
        let cause = Cause(sqlState: error.sqlState, message: error.message)
        let causeIndex: Int
        if let known = causes.lastIndex(of: cause) {
            causeIndex = known
        } else if causes.count < RefusedRows.causeCountMax {
            causeIndex = causes.count
            causes.append(cause)
        } else {
            causeIndex = causes.count - 1
        }
        items.append(
            Item(
                exportIndex: UInt32(exportIndex), itemOrdinal: UInt32(itemOrdinal),
                causeIndex: causeIndex))
    }

    /// Brings the items into the order of the batch.
    mutating func sortItems() {
        items.sort { ($0.exportIndex, $0.itemOrdinal) < ($1.exportIndex, $1.itemOrdinal) }
    }

    /// The items of one export; after `sortItems`.
    func items(ofExport exportIndex: Int) -> ArraySlice<Item> {
        func position(_ index: Int) -> Int {
            var low = 0
            var high = items.count
            while low < high {
                let middle = (low + high) / 2
                if items[middle].exportIndex < index { low = middle + 1 } else { high = middle }
            }
            return low
        }
        return items[position(exportIndex)..<position(exportIndex + 1)]
    }

    mutating func removeAll() {
        guard !items.isEmpty || isSearchNeeded else { return }
        self = RefusedRows()
    }
}
