// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Postgres

// Goal: each SQLSTATE leads to the right next step. Method: the table of PostgreSQL's appendix A,
// as far as the data path can meet it, with and without a row named, on a live and a dead
// connection.
struct ClassificationTests {
    private static let row = CopyRowContext(parsing: "COPY otel_spans_fact, line 7", table: nil)

    @Test(arguments: [
        "23503", "08000", "08003", "08006", "08001", "08P01", "57P01", "57P02", "57P03", "57P05",
        "25006", "25P03",
    ])
    func lostConnection(sqlState: String) {
        #expect(judge(sqlState, row: nil) == .reconnect)
    }

    @Test(arguments: [
        "53100", "53200", "53300", "40001", "40P01", "55P03", "55006", "57014", "58030", "25P02",
        "26000", "42P05", "XX000",
    ])
    func retried(sqlState: String) {
        #expect(judge(sqlState, row: nil) == .transient)
        #expect(judge(sqlState, row: nil, isConnectionUsable: false) == .reconnect)
    }

    @Test(arguments: [
        ("unsupported jsonb version number 2", true),
        ("could not extend file \"base/16384/16500\": Disk quota exceeded", false),
        ("could not write to file \"base/16384/16500\": File too large", false),
        ("message", false),
    ])
    func internalErrorSpeaksOfRow(message: String, isRowRejected: Bool) {
        #expect(
            judge("XX000", row: ClassificationTests.row, message: message)
                == (isRowRejected
                    ? .rejectedRow(table: "otel_spans_fact", rowNumber: 7) : .transient))
    }

    @Test(arguments: [
        "22021", "22P05", "22P02", "22003", "22008", "22P04", "23502", "23505", "54000", "54001",
        "08P01",
        "P0001",
    ])
    func rowIsRejected(sqlState: String) {
        #expect(
            judge(sqlState, row: ClassificationTests.row)
                == .rejectedRow(table: "otel_spans_fact", rowNumber: 7))
    }

    @Test(arguments: ["22021", "22P02", "23505", "54000"])
    func contentIsRejectedWhereNoRowIsNamed(sqlState: String) {
        #expect(judge(sqlState, row: nil) == .rejectedContent)
    }

    @Test(arguments: [
        "42P01", "42501", "42804", "28P01", "28000", "3D000", "3F000", "0A000", "XX001",
        "XX002",
    ])
    func personIsNeeded(sqlState: String) {
        #expect(judge(sqlState, row: nil) == .fatal)
        #expect(judge(sqlState, row: ClassificationTests.row) == .fatal)
    }

    @Test func anUndefinedColumnIsOneThatWasThereBefore() {
        #expect(judge("42703", row: nil) == .missingColumn)
        #expect(judge("42703", row: ClassificationTests.row) == .missingColumn)
    }

    @Test func checkViolationWithoutConstraintIsAMissingPartition() {
        var report = ServerReport(sqlState: "23514", primaryMessage: "keine Partition")
        report.tableName = "otel_logs_fact"
        let judged = classify(report, row: ClassificationTests.row, isConnectionUsable: true)
        #expect(judged == .missingPartition(table: "otel_logs_fact"))
        report.constraintName = "some_check"
        let checked = classify(report, row: ClassificationTests.row, isConnectionUsable: true)
        #expect(checked == .rejectedRow(table: "otel_spans_fact", rowNumber: 7))
    }

    @Test func withoutCodeTheConnectionIsDoneWith() {
        #expect(judge(nil, row: nil) == .reconnect)
        #expect(judge("", row: nil) == .reconnect)
    }

    private func judge(
        _ sqlState: String?, row: CopyRowContext?, isConnectionUsable: Bool = true,
        message: String = "message"
    ) -> DatabaseError.Disposition {
        let report = ServerReport(sqlState: sqlState, primaryMessage: message)
        return classify(report, row: row, isConnectionUsable: isConnectionUsable)
    }
}

// Goal: the row is read from what a server in any language says, and from nothing a row contains.
struct CopyRowContextTests {
    @Test(arguments: [
        ("COPY t, line 3", "t", 3),
        ("COPY t, line 12, column attributes: \"x, line 9\"", "t", 12),
        ("COPY t2, Zeile 3", "t2", 3),
        ("t2のCOPY、34行 列 a", "t2", 34),
        ("JSON data, line 1: {\nCOPY t, line 5, column a", "t", 5),
        ("JSON data, line 1: COPY t, line 9\nCOPY t, line 5, column a", "t", 5),
    ])
    func rowIsFound(context: String, table: String, rowNumber: Int) throws {
        let row = try #require(CopyRowContext(parsing: context, table: table))
        #expect(row.table == table)
        #expect(row.rowNumber == rowNumber)
    }

    @Test(arguments: [
        "", "COPY t", "COPY t, line", "COPY t, line 0", "COPY u, line 4",
        "PL/pgSQL function f() line 3 at RAISE", "COPY t, line 99999999999999999999",
        "JSON data, line 1: COPY t, line 9",
    ])
    func noRowIsNamed(context: String) {
        #expect(CopyRowContext(parsing: context, table: "t") == nil)
    }

    @Test func tableMayBeUnknown() throws {
        let row = try #require(
            CopyRowContext(parsing: "COPY some_t4ble, line 8, column a", table: nil))
        #expect(row.table == "some_t4ble")
        #expect(row.rowNumber == 8)
    }
}

// Goal: messages are bounded and repeat nothing of what clients sent.
struct DatabaseErrorMessageTests {
    @Test func inputIsNotRepeated() {
        let report = ServerReport(
            sqlState: "22P02", primaryMessage: "invalid input syntax for type bigint: \"secret\"")
        #expect(report.boundedMessage == "invalid input syntax for type bigint")
        let bytes = ServerReport(
            sqlState: "22021", primaryMessage: "invalid byte sequence for encoding \"UTF8\": 0x00")
        #expect(bytes.boundedMessage == "invalid byte sequence for encoding \"UTF8\": 0x00")
    }

    @Test(arguments: [299, 300, 301, 10_000])
    func messageIsCut(sizeBytes: Int) {
        let report = ServerReport(
            sqlState: "42601", primaryMessage: String(repeating: "a", count: sizeBytes))
        #expect(report.boundedMessage.utf8.count == min(sizeBytes, 300))
    }

    @Test func cutFallsBetweenCharacters() {
        let report = ServerReport(primaryMessage: String(repeating: "é", count: 151))
        #expect(report.boundedMessage == String(repeating: "é", count: 150))
    }

    @Test(arguments: [
        (
            "connection to server on socket \"/s\" failed: FATAL:  28P01: refused\nLOCATION: x",
            "28P01"
        ),
        ("Verbindung zum Server gescheitert: FATAL:  57P03: the database is starting up", "57P03"),
    ])
    func stateOfAFailedConnectIsRead(message: String, sqlState: String) {
        let error = DatabaseError(connectMessage: message, needsPassword: false)
        #expect(error.sqlState == sqlState)
        #expect(error.code == .connectFailed)
        #expect(error.disposition == (sqlState == "28P01" ? .fatal : .reconnect))
    }

    @Test func refusedConnectHasNoState() {
        let error = DatabaseError(
            connectMessage:
                "connection to server at \"::1\", port 1 failed: Connection refused\n\tIs it?",
            needsPassword: false)
        #expect(error.sqlState == nil)
        #expect(error.disposition == .reconnect)
        let asked = DatabaseError(
            connectMessage: "fe_sendauth: no password supplied", needsPassword: true)
        #expect(asked.disposition == .fatal)
    }

    @Test func onlyALostConnectionLeavesCommitOpen() {
        let lost = DatabaseError(.connectionLost, .reconnect, message: "")
        #expect(lost.duringCommit().commitOutcomeUnknown)
        #expect(DatabaseError.stopped().duringCommit().commitOutcomeUnknown)
        let refused = DatabaseError(.rejectedByServer, .transient, message: "")
        #expect(!refused.duringCommit().commitOutcomeUnknown)
    }
}
