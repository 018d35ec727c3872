// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

/// Rows that are shown, and rows that are counted: together, all that came.
@Suite struct TailQueueTests {
    private func row(_ number: Int, sizeBytes: Int = 10) -> TailQueue.Entry {
        .row(Array(repeating: UInt8(ascii: "x"), count: sizeBytes), cursor: "\(number)")
    }

    private func counts(_ queue: TailQueue) -> (rows: Int, skipped: Int64?) {
        var (rows, skipped): (Int, Int64?) = (0, 0)
        for entry in queue.entries {
            switch entry {
            case .row: rows += 1
            case .lagged(let count, _):
                skipped = count.flatMap { more in skipped.map { $0 + more } }
            default: break
            }
        }
        return (rows, skipped)
    }

    @Test(arguments: [
        (10, TailQueue.rowCountMax), (10, TailQueue.rowCountMax + 1), (10, 9_999),
        (2_000, TailQueue.sizeBytesMax / 2_000), (2_000, TailQueue.sizeBytesMax / 2_000 + 1),
        (2_000, 5_000), (TailQueue.sizeBytesMax, 3), (TailQueue.sizeBytesMax / 2, 4),
    ])
    func whatIsTooMuchIsCounted(sizeBytes: Int, count: Int) {
        var queue = TailQueue()
        for number in 1...count {
            queue.append(row(number, sizeBytes: sizeBytes))
            let (rows, skipped) = counts(queue)
            #expect(rows <= TailQueue.rowCountMax)
            #expect(rows * sizeBytes <= TailQueue.sizeBytesMax)
            #expect(Int64(rows) + (skipped ?? -1) == Int64(number))
            #expect(skipped == Int64(queue.droppedCount))
        }
        let isTooMuch =
            count > TailQueue.rowCountMax || count * sizeBytes > TailQueue.sizeBytesMax
        #expect((queue.droppedCount > 0) == isTooMuch)
    }

    @Test func aCountStandsWhereTheRowsWereAndEndsWhereTheyEnded() {
        var queue = TailQueue()
        for number in 1...TailQueue.rowCountMax + 1 { queue.append(row(number)) }
        let dropped = TailQueue.rowCountMax + 1 - TailQueue.rowCountMax / 2
        #expect(queue.entries.first == .lagged(Int64(dropped), cursor: "\(dropped)"))
        #expect(queue.entries[1] == row(dropped + 1))
    }

    @Test func countsThatMeetAreAddedUp() {
        var queue = TailQueue()
        queue.append(.lagged(3, cursor: "a"))
        queue.append(.lagged(4, cursor: nil))
        #expect(queue.entries == [.lagged(7, cursor: "a")])
        queue.append(.lagged(nil, cursor: "b"))
        queue.append(.lagged(1, cursor: "c"))
        #expect(queue.entries == [.lagged(nil, cursor: "c")])
    }

    @Test func aRowThatIsTooLargeIsCounted() {
        var queue = TailQueue()
        queue.append(row(1))
        queue.append(row(2, sizeBytes: TailQueue.sizeBytesMax + 1))
        queue.append(row(3))
        #expect(queue.entries == [row(1), .lagged(1, cursor: "2"), row(3)])
    }

    @Test func ofPlacesOnlyTheLastIsKept() {
        var queue = TailQueue()
        for place in ["a", "b"] { queue.append(.position(cursor: place)) }
        queue.append(row(1))
        queue.append(.position(cursor: "c"))
        #expect(queue.entries == [.position(cursor: "b"), row(1), .position(cursor: "c")])
    }

    @Test func whatIsSentMakesRoom() {
        var queue = TailQueue()
        for number in 1...3 * TailQueue.rowCountMax {
            queue.append(row(number))
            if number % 2 == 0 { queue.removeFirst(2) }
        }
        #expect(queue.isEmpty && queue.droppedCount == 0)
    }
}

@Suite struct TailFramesTests {
    private func text(_ entry: TailQueue.Entry, _ form: TailQuestion.Form) -> String {
        var bytes: [UInt8] = []
        TailFrames.append(entry, as: form, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let cases: [(TailQueue.Entry, events: String, lines: String)] = [
        (
            .row(Array("{\"a\":1}".utf8), cursor: "p"),
            "event: row\nid: p\ndata: {\"a\":1}\n\n", "{\"row\":{\"a\":1},\"cursor\":\"p\"}\n"
        ),
        (.row(Array("{}".utf8), cursor: nil), "event: row\ndata: {}\n\n", "{\"row\":{}}\n"),
        (
            .lagged(7, cursor: "p"), "event: lagged\nid: p\ndata: {\"skipped\":7}\n\n",
            "{\"lagged\":{\"skipped\":7},\"cursor\":\"p\"}\n"
        ),
        (
            .lagged(nil, cursor: nil), "event: lagged\ndata: {\"skipped\":null}\n\n",
            "{\"lagged\":{\"skipped\":null}}\n"
        ),
        (.position(cursor: "p"), ": heartbeat\nid: p\n\n", "{\"cursor\":\"p\"}\n"),
        (
            .status(isDatabaseThere: false, detail: "a\nb"),
            "event: status\ndata: {\"database\":\"unavailable\",\"detail\":\"a\\u000ab\"}\n\n",
            "{\"status\":{\"database\":\"unavailable\",\"detail\":\"a\\u000ab\"}}\n"
        ),
    ]

    @Test(arguments: cases.indices)
    func form(index: Int) {
        let (entry, events, lines) = TailFramesTests.cases[index]
        #expect(text(entry, .events) == events)
        #expect(text(entry, .lines) == lines)
    }

    @Test func aLineEndInDataGoesOnInTheNextLine() {
        let entry = TailQueue.Entry.row(Array("{\n}".utf8), cursor: nil)
        #expect(text(entry, .events) == "event: row\ndata: {\ndata: }\n\n")
    }
}
