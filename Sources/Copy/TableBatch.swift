// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Rows

/// The rows of a batch that go into one table, encoded.
///
/// Ownership: sole owner of its bytes. Thread: confined to one.
package struct TableBatch: ~Copyable {
    /// What a row can be led back by, and cut out by.
    private struct RowMark: BitwiseCopyable {
        /// Where the row ends in the buffer.
        let endOffset: UInt32
        /// The item in its export.
        let itemOrdinal: UInt32
    }

    private enum Format {
        /// Signature, flags, length of the header extension.
        static let headerSizeBytes = 19
        static let trailerSizeBytes = 2
    }

    package let table: FactTable
    /// What the rows are made of. Changes between batches only.
    package private(set) var layout: TableLayout
    var buffer: CopyBuffer
    var sorter: AttributeSorter
    /// What is left out of the attributes of exemplars.
    var exemplarDrops: AttributeDrops?
    private var marks: BudgetedList<RowMark>
    private var partitions: PartitionSet
    private var firstUnixNs = Int64.max
    private var lastUnixNs = Int64.min
    /// Row count before each export of the batch.
    private var exportStarts: [Int] = []
    /// What was counted before the export that was begun last.
    private var countsBeforeExport = AttributeCounts()
    private var isSealed = false

    init(table: FactTable, interval: PartitionInterval, budget: MemoryBudget) {
        self.table = table
        layout = TableLayout(table: table)
        sorter = AttributeSorter(plan: AttributePlan())
        buffer = CopyBuffer(budget: budget)
        marks = BudgetedList(budget: budget)
        partitions = PartitionSet(interval: interval)
    }

    package var rowCount: Int { marks.count }
    package var isEmpty: Bool { marks.count == 0 }

    /// Starts of the partitions that the rows go into, nanoseconds since 1970, ascending. Rows that
    /// were taken out again may have left theirs.
    package var partitionStartsUnixNs: [Int64] { partitions.startsUnixNs }

    /// Nanoseconds since 1970 that no row begins before, and after; nil where there are none. Rows
    /// that were taken out again may have left theirs.
    package var timeRangeUnixNs: ClosedRange<Int64>? {
        isEmpty ? nil : firstUnixNs...lastUnixNs
    }

    /// Everything that the COPY statement reads: header, rows, trailer. After sealing; valid until
    /// the batch changes.
    package var bytes: ByteSlice {
        precondition(isSealed)
        return buffer.bytes
    }

    /// As `bytes`, without some rows, in pieces to be sent one after the other.
    ///
    /// - Parameter dropped: rows, counted from 0, ascending. PostgreSQL counts from 1 ("line 1").
    package func pieces(withoutRows dropped: [Int]) -> [ByteSlice] {
        pieces(rows: 0..<rowCount, withoutRows: dropped)
    }

    /// A whole stream of some of the rows: header, `rows` without `dropped`, trailer.
    ///
    /// - Parameter dropped: among `rows`, ascending.
    package func pieces(rows: Range<Int>, withoutRows dropped: some Sequence<Int>) -> [ByteSlice] {
        precondition(isSealed && rows.lowerBound >= 0 && rows.upperBound <= rowCount)
        var pieces: [ByteSlice] = []
        func append(from start: Int, to end: Int) {
            if end > start { pieces.append(buffer.bytes(offset: start, count: end - start)) }
        }
        var offset = startOffset(ofRow: rows.lowerBound)
        if rows.lowerBound == 0 {
            offset = 0
        } else {
            append(from: 0, to: Format.headerSizeBytes)
        }
        var last = rows.lowerBound - 1
        for row in dropped {
            precondition(row > last && row < rows.upperBound)
            append(from: offset, to: startOffset(ofRow: row))
            offset = Int(marks[row].endOffset)
            last = row
        }
        if rows.upperBound == rowCount {
            append(from: offset, to: buffer.count)
        } else {
            append(from: offset, to: startOffset(ofRow: rows.upperBound))
            append(from: buffer.count - Format.trailerSizeBytes, to: buffer.count)
        }
        return pieces
    }

    /// The rows of the export at `index` that come from the items `itemOrdinals`. O(log n).
    package func rows(ofExport index: Int, itemOrdinals: Range<Int>) -> Range<Int> {
        precondition(index >= 0 && index < exportStarts.count)
        let start = exportStarts[index]
        let end = index + 1 < exportStarts.count ? exportStarts[index + 1] : rowCount
        func firstRow(ofItem ordinal: Int) -> Int {
            var low = start
            var high = end
            while low < high {
                let middle = (low + high) / 2
                if marks[middle].itemOrdinal < ordinal { low = middle + 1 } else { high = middle }
            }
            return low
        }
        let first = firstRow(ofItem: itemOrdinals.lowerBound)
        return first..<firstRow(ofItem: itemOrdinals.upperBound)
    }

    /// The index of the export that a row came from, and the ordinal of the item in it.
    package func source(ofRow row: Int) -> (exportIndex: Int, itemOrdinal: Int) {
        precondition(row >= 0 && row < rowCount)
        // Exports without rows share a start with the next one, which is the last with that start.
        var low = 0
        var high = exportStarts.count
        while low < high {
            let middle = (low + high) / 2
            if exportStarts[middle] <= row { low = middle + 1 } else { high = middle }
        }
        return (low - 1, Int(marks[row].itemOrdinal))
    }

    private func startOffset(ofRow row: Int) -> Int {
        row == 0 ? Format.headerSizeBytes : Int(marks[row - 1].endOffset)
    }

    /// Says that the rows of the next export follow.
    mutating func beginExport() {
        exportStarts.append(rowCount)
        countsBeforeExport = attributeCounts
    }

    /// Takes the export that was begun last out again.
    mutating func dropExport() {
        let row = exportStarts.removeLast()
        if row < rowCount { truncate(rowCount: row) }
        sorter.counts = countsBeforeExport
        buffer.droppedAttributeCount = 0
    }

    private mutating func truncate(rowCount: Int) {
        buffer.truncate(count: rowCount == 0 ? 0 : startOffset(ofRow: rowCount))
        marks.truncate(count: rowCount)
    }

    /// Ends the row that stands at the end of the buffer from `startOffset` on; false, with the row
    /// taken out, past the budget or when it was not encoded.
    @inline(__always)
    mutating func endRow(
        from startOffset: Int, isEncoded: Bool, timeUnixNs: Int64, itemOrdinal: Int
    ) -> Bool {
        let mark = RowMark(
            endOffset: UInt32(truncatingIfNeeded: buffer.count),
            itemOrdinal: UInt32(truncatingIfNeeded: itemOrdinal))
        guard isEncoded, marks.append(mark) else {
            buffer.truncate(count: startOffset)
            return false
        }
        partitions.insert(partitionOf: timeUnixNs)
        firstUnixNs = min(firstUnixNs, timeUnixNs)
        lastUnixNs = max(lastUnixNs, timeUnixNs)
        return true
    }

    /// Makes sure that a row can begin, and says where; nil past the budget.
    @inline(__always)
    mutating func beginRow() -> Int? {
        assert(!isSealed)
        if marks.count == 0 { guard appendHeader() else { return nil } }
        return buffer.count
    }

    private mutating func appendHeader() -> Bool {
        // What a failed first row left, if anything.
        buffer.truncate(count: 0)
        guard buffer.reserve(Format.headerSizeBytes) else { return false }
        buffer.put("PGCOPY\n")
        buffer.put(0xff as UInt8)
        buffer.put("\r\n\0")
        buffer.putBigEndian(0 as Int32)
        buffer.putBigEndian(0 as Int32)
        return true
    }

    /// Adds the trailer; nothing can be added after it. False past the budget.
    mutating func seal() -> Bool {
        if isSealed || isEmpty { return true }
        guard buffer.reserve(Format.trailerSizeBytes) else { return false }
        buffer.putBigEndian(-1 as Int16)
        isSealed = true
        return true
    }

    /// Encodes rows by `promotion` from now on. Only while there are none.
    mutating func adopt(_ promotion: PromotionSet) {
        precondition(isEmpty, "rows of two layouts do not mix")
        exemplarDrops = promotion.drops.series
        if let plan = promotion.plan(for: table), plan !== sorter.plan {
            sorter = AttributeSorter(plan: plan)
            layout = TableLayout(table: table)
        }
    }

    /// Lists the columns that rows wanted in vain.
    mutating func widen() { sorter.widen() }

    /// Attributes of the rows that are not where one may look for them.
    var attributeCounts: AttributeCounts {
        var counts = sorter.counts
        counts.dropped += buffer.droppedAttributeCount
        return counts
    }

    /// Ready for the next batch, or for the same one again.
    mutating func removeAll(keptSizeBytes: Int) {
        sorter.removeAll()
        if sorter.hasListChanged {
            sorter.hasListChanged = false
            layout = TableLayout(table: table, promoted: sorter.layoutColumns)
        }
        buffer.removeAll(keptSizeBytes: keptSizeBytes)
        buffer.droppedAttributeCount = 0
        marks.removeAll(keptSizeBytes: keptSizeBytes)
        partitions.removeAll()
        firstUnixNs = .max
        lastUnixNs = .min
        exportStarts.removeAll(keepingCapacity: true)
        isSealed = false
    }
}
