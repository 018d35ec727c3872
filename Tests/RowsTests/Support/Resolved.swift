// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import OTLPFixtures
import Rows

/// What a new builder misses of one export, before and after the first round.
struct Resolved: ~Copyable {
    let budget = MemoryBudget(limitBytes: 64 << 20)
    let box: ExportBox
    var builder: RowBuilder
    var database = FakeDatabase()

    init(_ signal: Signal, _ bytes: [UInt8], limits: RowLimits = RowLimits()) throws {
        box = try ExportBox(signal, bytes, budget: budget)
        builder = RowBuilder(limits: limits, budget: budget)
        builder.beginBatch()
        let resolution = builder.resolveDimensions(of: box.export, at: 0)
        precondition(resolution == .resolved)
    }

    /// Goes on to the series.
    mutating func learn() {
        database.upsert(&builder.missing)
        builder.learn()
        let resolution = builder.resolveSeries(of: box.export, at: 0)
        precondition(resolution == .resolved)
    }

    /// Rows of the export; everything must have been learned.
    mutating func emit(
        window: AcceptWindow = AcceptWindow(minUnixNs: 0, maxUnixNs: UInt64(Int64.max)),
        arrivalUnixNs: UInt64 = baseUnixNs
    ) -> (tally: RowTally?, rows: RecordedRows) {
        var sink = RecordedRows()
        let tally = builder.emitRows(
            of: box.export, at: 0,
            context: EmissionContext(window: window, arrivalUnixNs: arrivalUnixNs),
            into: &sink)
        return (tally, sink)
    }
}

/// Keeps what the tests ask for of each row, as far as `rowCountMax` goes.
struct RecordedRows: RowSink {
    var rowCountMax = Int.max
    private(set) var itemOrdinals: [Int] = []
    /// Name of the row's type, by row.
    private(set) var kinds: [String] = []
    private(set) var operationIDs: [Int32?] = []
    private(set) var seriesIDs: [Int64] = []

    private mutating func record(_ kind: String, _ itemOrdinal: Int) -> Bool {
        guard kinds.count < rowCountMax else { return false }
        kinds.append(kind)
        itemOrdinals.append(itemOrdinal)
        return true
    }

    mutating func append(_ row: borrowing SpanRow, itemOrdinal: Int) -> Bool {
        operationIDs.append(row.operationID)
        return record("span", itemOrdinal)
    }

    mutating func append(_ row: borrowing LogRow, itemOrdinal: Int) -> Bool {
        record("log", itemOrdinal)
    }

    mutating func append(_ row: borrowing NumberPointRow, itemOrdinal: Int) -> Bool {
        seriesIDs.append(row.seriesID)
        return record("number", itemOrdinal)
    }

    mutating func append(_ row: borrowing HistogramPointRow, itemOrdinal: Int) -> Bool {
        seriesIDs.append(row.seriesID)
        return record("histogram", itemOrdinal)
    }

    mutating func append(_ row: borrowing ExponentialHistogramPointRow, itemOrdinal: Int) -> Bool {
        seriesIDs.append(row.seriesID)
        return record("exponential histogram", itemOrdinal)
    }

    mutating func append(_ row: borrowing SummaryPointRow, itemOrdinal: Int) -> Bool {
        seriesIDs.append(row.seriesID)
        return record("summary", itemOrdinal)
    }
}

extension ContentHash {
    var hex: String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }
}
