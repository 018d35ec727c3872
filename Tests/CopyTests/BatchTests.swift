// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Decode
import OTLPFixtures
import Rows
import Testing

private func spans(_ names: [String], fault: Int? = nil) -> [UInt8] {
    request { scope in
        for (index, name) in names.enumerated() {
            scope.span(name: name) { if index == fault { $0.bytes(1, [1]) } }
        }
    }
}

/// Names on the rows: with operations of no length allowed, all names are inline.
private func inlineStation(limitBytes: Int = 64 << 20) -> Station {
    var limits = RowLimits()
    limits.operationNameSizeBytesMax = 0
    return Station(limitBytes: limitBytes, limits: limits)
}

@Test func anEmptyBatchHasNoTables() throws {
    var station = Station()
    let tallies = try station.run([ExportBox(.traces, [], budget: station.budget)])
    #expect(tallies == [RowTally()])
    #expect(station.batch.rowCount == 0 && station.batch.sizeBytes == 0)
    for table in FactTable.allCases { #expect(station.rowCount(table) == 0) }
}

@Test func rowsLeadBackToTheirItems() throws {
    var station = inlineStation()
    let boxes = try [
        ExportBox(.traces, spans(["a", "b", "c"], fault: 1), budget: station.budget),
        ExportBox(.logs, request { $0.logRecord() }, budget: station.budget),
        ExportBox(.traces, spans([]), budget: station.budget),
        ExportBox(.traces, spans(["d", "e"], fault: 0), budget: station.budget),
    ]
    let tallies = try station.run(boxes)
    #expect(tallies.map { $0.rowCount } == [2, 1, 0, 1])
    #expect(tallies.map { $0.rejectedItemCount } == [1, 0, 0, 1])
    #expect(tallies[0].firstFault == .invalidTraceID && tallies[1].firstFault == nil)
    #expect(tallies.map { $0.rejections.map(\.itemOrdinal) } == [[1], [], [], [0]])
    #expect(try station.rows(.spans).map { try $0.text("name") } == ["a", "c", "e"])
    #expect(station.source(ofRow: 0, in: .spans) == [0, 0])
    #expect(station.source(ofRow: 1, in: .spans) == [0, 2])
    #expect(station.source(ofRow: 2, in: .spans) == [3, 1])
    #expect(station.source(ofRow: 0, in: .logs) == [1, 0])
    #expect(station.batch.rowCount == 4)
}

// Goal: any rows can be left out. Method: every subset of four rows.
@Test func piecesWithoutRows() throws {
    var station = inlineStation()
    let names = ["a", "bb", "c", "dddd"]
    _ = try station.run([ExportBox(.traces, spans(names), budget: station.budget)])
    for subset in 0..<16 {
        let dropped = (0..<4).filter { subset >> $0 & 1 == 1 }
        let bytes = station.batch[.spans].pieces(withoutRows: dropped).flatMap {
            unsafe Array($0.buffer)
        }
        let kept = try CopyReader.rows(bytes).map {
            try CopyRow(layout: TableLayout(table: .spans), fields: $0).text("name")
        }
        #expect(kept == names.indices.filter { !dropped.contains($0) }.map { names[$0] })
    }
}

// Goal: any range of rows is a stream of its own. Method: every range and every subset of four
// rows.
@Test func piecesOfRanges() throws {
    var station = inlineStation()
    let names = ["a", "bb", "c", "dddd"]
    _ = try station.run([ExportBox(.traces, spans(names), budget: station.budget)])
    for start in 0...4 {
        for end in start...4 {
            for subset in 0..<16 {
                let dropped = (start..<end).filter { subset >> $0 & 1 == 1 }
                let bytes = station.batch[.spans].pieces(rows: start..<end, withoutRows: dropped)
                    .flatMap { unsafe Array($0.buffer) }
                let kept = try CopyReader.rows(bytes).map {
                    try CopyRow(layout: TableLayout(table: .spans), fields: $0).text("name")
                }
                #expect(kept == (start..<end).filter { !dropped.contains($0) }.map { names[$0] })
            }
        }
    }
}

@Test func anExportPastTheBudgetLeavesTheOthersWhole() throws {
    var station = inlineStation(limitBytes: 1 << 20)
    let small = try ExportBox(.traces, spans(["small"]), budget: station.budget)
    let large = try ExportBox(
        .traces, spans((0..<200).map { _ in String(repeating: "x", count: 1_000) }),
        budget: station.budget)
    station.resolve([small, large])
    let smallTally = station.append(small, at: 0)
    #expect(smallTally?.rowCount == 1)
    let sizeBytes = station.batch.sizeBytes

    // All but 100 KB is taken by others: the large one has not room enough.
    let takenBytes = station.budget.limitBytes - station.budget.inUseBytes - 100_000
    #expect(station.budget.tryReserve(takenBytes))
    let refused = station.append(large, at: 1)
    #expect(refused == nil)
    #expect(station.batch.rowCount == 1 && station.batch.sizeBytes == sizeBytes)

    station.budget.release(takenBytes)
    let largeTally = station.append(large, at: 1)
    #expect(largeTally?.rowCount == 200)
    let isSealed = station.seal()
    #expect(isSealed)
    #expect(try station.rows(.spans).count == 201)
    #expect(station.source(ofRow: 200, in: .spans) == [1, 199])
}

@Test func theFirstRowPastTheBudgetLeavesNothing() throws {
    var station = inlineStation(limitBytes: 200_000)
    let box = try ExportBox(.traces, spans(["a"]), budget: station.budget)
    station.resolve([box])
    let takenBytes = station.budget.limitBytes - station.budget.inUseBytes - 100
    #expect(station.budget.tryReserve(takenBytes))
    let refused = station.append(box, at: 0)
    #expect(refused == nil)
    #expect(station.batch.rowCount == 0)
    let isSealed = station.seal()
    #expect(isSealed)
    station.budget.release(takenBytes)
}

@Test func memoryIsKeptForTheNextBatchAndGivenBackWhenItIsMuch() throws {
    var station = inlineStation()
    let boxes = try [
        ExportBox(.traces, spans((0..<100).map { "\($0)" }), budget: station.budget)
    ]
    _ = try station.run(boxes)
    let heldSizeBytes = station.batch.heldSizeBytes
    let inUseBytes = station.budget.inUseBytes
    #expect(heldSizeBytes >= station.batch.sizeBytes && heldSizeBytes > 0)
    _ = try station.run(boxes)
    #expect(station.batch.heldSizeBytes == heldSizeBytes && station.budget.inUseBytes == inUseBytes)

    station.batch.removeAll(keptSizeBytes: heldSizeBytes)
    #expect(station.batch.heldSizeBytes == heldSizeBytes && station.batch.rowCount == 0)
    station.batch.removeAll(keptSizeBytes: heldSizeBytes - 1)
    #expect(station.batch.heldSizeBytes == 0)
}

@Test func everythingIsGivenBackToTheBudget() throws {
    let budget: MemoryBudget
    do {
        var station = inlineStation()
        budget = station.budget
        _ = try station.run([ExportBox(.traces, spans(["a"]), budget: station.budget)])
        #expect(budget.inUseBytes > 0)
    }
    #expect(budget.inUseBytes == 0)
}
