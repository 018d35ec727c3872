// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Base
@testable import Collector
@testable import Postgres

// Goal: what is said of commits and of the database follows from what happened. Method: time is
// given, and each limit is met from both sides.

private let secondNs: UInt64 = 1_000_000_000

private func error(
    _ disposition: DatabaseError.Disposition, sqlState: String? = nil, message: String = "m"
) -> DatabaseError {
    DatabaseError(.rejectedByServer, disposition, sqlState: sqlState, message: message)
}

@Suite struct CommitMarksTests {
    @Test func nothingHappened() {
        let commits = CommitMarks().observe(nowNs: secondNs)
        #expect(commits.lastAgeNs == nil && commits.failingForNs == nil)
    }

    @Test func failuresCountFromTheFirst() {
        let marks = CommitMarks()
        marks.committed(nowNs: secondNs)
        marks.failed(error(.reconnect, message: "first"), nowNs: 2 * secondNs)
        marks.failed(error(.transient, message: "second"), nowNs: 5 * secondNs)
        let commits = marks.observe(nowNs: 6 * secondNs)
        #expect(commits.lastAgeNs == 5 * secondNs)
        #expect(commits.failingForNs == 4 * secondNs)
        #expect(commits.failure == "second")
        marks.committed(nowNs: 7 * secondNs)
        #expect(marks.observe(nowNs: 7 * secondNs).failingForNs == nil)
    }

    @Test func oldFailuresSayNothing() {
        let marks = CommitMarks()
        marks.failed(error(.reconnect), nowNs: secondNs)
        #expect(marks.observe(nowNs: 31 * secondNs).failingForNs == 30 * secondNs)
        #expect(marks.observe(nowNs: 31 * secondNs + 1).failingForNs == nil)
        marks.failed(error(.reconnect), nowNs: 40 * secondNs)
        #expect(marks.observe(nowNs: 41 * secondNs).failingForNs == secondNs)
    }

    @Test(
        arguments: [
            (.reconnect, true), (.transient, true), (.fatal, true), (.rejectedContent, false),
            (.rejectedRow(table: "t", rowNumber: 1), false), (.missingPartition(table: "t"), false),
            (.missingColumn, false), (.stopped, false),
        ] as [(DatabaseError.Disposition, Bool)])
    func whatIsInTheBatchIsNoFailureOfTheDatabase(
        disposition: DatabaseError.Disposition, isFailure: Bool
    ) {
        let marks = CommitMarks()
        marks.failed(error(disposition), nowNs: secondNs)
        #expect((marks.observe(nowNs: secondNs).failingForNs != nil) == isFailure)
    }

    @Test func fullDiskIsRemembered() {
        let marks = CommitMarks()
        #expect(!marks.isDiskFull(nowNs: secondNs))
        marks.failed(error(.transient, sqlState: "53100"), nowNs: secondNs)
        #expect(marks.isDiskFull(nowNs: 31 * secondNs))
        #expect(!marks.isDiskFull(nowNs: 31 * secondNs + 1))
        marks.failed(error(.transient, sqlState: "53200"), nowNs: 2 * secondNs)
        #expect(!marks.isDiskFull(nowNs: 2 * secondNs))
    }
}

@Suite struct DatabaseJudgementTests {
    private static func look(
        isReadOnly: Bool = false, isStandby: Bool = false, schemaVersion: Int = 6,
        isMigrating: Bool = false
    ) -> DatabaseLook {
        DatabaseLook(
            serverVersion: 150_018, isReadOnly: isReadOnly, isStandby: isStandby,
            schemaVersion: schemaVersion, isMigrating: isMigrating)
    }

    @Test(
        arguments: [
            (look(), false, .ok), (look(schemaVersion: 7), false, .ok),
            (look(schemaVersion: 5), false, .schemaNotCurrent),
            (look(schemaVersion: 5, isMigrating: true), false, .migrating),
            (look(isMigrating: true), false, .migrating),
            (look(isReadOnly: true), false, .readOnly),
            (look(isReadOnly: true, isStandby: true, schemaVersion: 0), false, .readOnly),
            (look(), true, .diskFull), (look(isReadOnly: true), true, .readOnly),
        ] as [(DatabaseLook, Bool, DatabaseState)])
    func ofAnAnswer(look: DatabaseLook, isDiskFull: Bool, expected: DatabaseState) {
        let judgement = DatabaseJudgement(look, wantedVersion: 6, isDiskFull: isDiskFull)
        #expect(judgement.state == expected)
        #expect((judgement.reason == nil) == (expected == .ok))
    }

    @Test(
        arguments: [
            (nil, "Connection refused", .down), ("57P03", "the system is starting up", .down),
            ("53300", "too many clients", .down), ("53100", "No space left", .diskFull),
            ("42P01", "relation does not exist", .schemaNotCurrent),
            (nil, "server is in hot standby mode", .readOnly),
            (nil, "session is read-only", .readOnly),
        ] as [(String?, String, DatabaseState)])
    func ofAFailure(sqlState: String?, message: String, expected: DatabaseState) {
        let judgement = DatabaseJudgement(
            error(.reconnect, sqlState: sqlState, message: message))
        #expect(judgement.state == expected)
        #expect(judgement.reason != nil)
    }

    @Test(
        arguments: [
            (0, 0), (3_599_999_999_999, 0), (3_600_000_000_000, 1_800_000_000_000),
            (7_200_000_000_000, 3_600_000_000_000), (604_800_000_000_000, 3_600_000_000_000),
        ] as [(UInt64, UInt64)])
    func partitionsAheadThatAreAskedFor(configuredNs: UInt64, expectedNs: UInt64) {
        #expect(Observer.aheadNsMin(configuredNs: configuredNs) == expectedNs)
    }
}

@Suite struct ThroughputTests {
    @Test func ratesAreOverTheWindow() {
        let counters = Counters()
        var throughput = Throughput()
        #expect(throughput.recent.spanNs == 0)
        for second: UInt64 in 0...30 {
            throughput.take(counters, ackLatency: HistogramSnapshot(), nowNs: second * secondNs)
            counters.add(.spansReceived, 100)
            counters.add(.spansCommitted, second < 20 ? 100 : 50)
        }
        let recent = throughput.recent
        #expect(recent.spanNs == Throughput.windowNs)
        #expect(recent.receivedPerSecond[.traces] == 100)
        #expect(recent.committedPerSecond[.traces] == 50)
        #expect(recent.committedPerSecond[.logs] == 0)
    }

    @Test func aGapIsCounted() {
        let counters = Counters()
        var throughput = Throughput()
        throughput.take(counters, ackLatency: HistogramSnapshot(), nowNs: 0)
        counters.add(.logRecordsReceived, 600)
        throughput.take(counters, ackLatency: HistogramSnapshot(), nowNs: 60 * secondNs)
        #expect(throughput.recent.receivedPerSecond[.logs] == 10)
    }
}

@Suite struct ProcessFiguresTests {
    @Test func numbersFollowTheNameOfTheProgram() {
        let text = "12 (a) b (c)) S 1 2 3"
        #expect(ProcessFigures.statFields(text) == [0, 1, 2, 3])
        #expect(ProcessFigures.statFields("nothing").isEmpty)
    }

    @Test(arguments: [
        ("Limit  Soft\nMax open files            1024                 524288\n", 1_024),
        ("Max open files            unlimited            unlimited\n", 0), ("", 0),
    ])
    func limitOfDescriptors(text: String, expected: Int) {
        #expect(ProcessFigures.openFilesLimit(text) == expected)
    }

    @Test func thisProcess() {
        let process = ProcessFigures.observe()
        #expect(process.residentBytes > 1 << 20)
        #expect(process.virtualBytes > process.residentBytes)
        #expect(process.threadCount >= 1 && process.openDescriptorCount >= 3)
    }
}

@Suite struct APIClientTests {
    @Test(
        arguments: [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 200, "body"),
            ("HTTP/1.1 404 Not Found\r\n\r\n", 404, ""),
            ("HTTP/1.0 503\r\n\r\nx\r\n\r\ny", 503, "x\r\n\r\ny"),
            ("", nil, nil), ("SSH-2.0\r\n\r\n", nil, nil), ("HTTP/1.1 200 OK\r\n", nil, nil),
            ("HTTP/1.1\r\n\r\n", nil, nil), ("HTTP/1.1 many\r\n\r\n", nil, nil),
        ] as [(String, Int?, String?)])
    func answers(text: String, status: Int?, body: String?) {
        let parsed = APIClient.parse(Array(text.utf8))
        #expect(parsed?.status == status)
        #expect(parsed?.body == body)
    }
}
