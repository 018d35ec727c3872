// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Postgres

// Goal: a prepared statement does what the same statement does without, whatever fails before, in
// or after it. Method: statements over a table of one column, with what the session and the table
// hold afterwards.
struct PreparedTests {
    private let session: Session

    private static let insertion = "INSERT INTO a SELECT 12 / $1 RETURNING number"

    init() throws {
        session = try ScratchDatabase(.empty).connect()
        try session.run("CREATE TABLE a (number bigint PRIMARY KEY)")
    }

    private func insert(_ divisor: Int64, _ sql: String = insertion) throws -> Int64? {
        var parameters = QueryParameters()
        parameters.append(divisor)
        return try session.connection.queryPrepared(sql, parameters, deadlineNs: farDeadlineNs)
            .integer(row: 0, column: 0)
    }

    private var preparedCount: Int64 {
        get throws { try session.integer("SELECT count(*) FROM pg_prepared_statements") }
    }

    @Test func isPreparedOnceAndSeesItsParameters() throws {
        #expect(try insert(1) == 12)
        #expect(try insert(2) == 6)
        #expect(try insert(3) == 4)
        #expect(try preparedCount == 1)
        #expect(try session.integer("SELECT sum(number)::bigint FROM a") == 22)
    }

    @Test func opensTheTransactionThatIsDue() throws {
        for divisor: Int64 in [1, 2] {
            session.connection.begin()
            _ = try insert(divisor)
            let isServerInTransaction = session.connection.isServerInTransaction
            #expect(isServerInTransaction)
            session.connection.rollback(deadlineNs: farDeadlineNs)
        }
        #expect(try session.integer("SELECT count(*) FROM a") == 0)
        session.connection.begin()
        _ = try insert(3)
        try session.connection.commit(deadlineNs: farDeadlineNs)
        #expect(try session.integer("SELECT count(*) FROM a") == 1)
    }

    @Test(arguments: [true, false])
    func failureLeavesTheSessionUsable(isPreparedBefore: Bool) throws {
        if isPreparedBefore { _ = try insert(1) }
        session.connection.begin()
        let error = #expect(throws: DatabaseError.self) { try insert(0) }
        #expect(error?.sqlState == "22012")
        #expect(error?.disposition == .rejectedContent)
        session.connection.rollback(deadlineNs: farDeadlineNs)
        #expect(session.isUsable)
        #expect(try insert(2) == 6)
        // It was parsed all the same.
        #expect(try preparedCount == 1)
    }

    @Test func whatCannotBeParsedIsNotTakenForPrepared() throws {
        let sql = "INSERT INTO b SELECT $1::bigint RETURNING number"
        session.connection.begin()
        let error = #expect(throws: DatabaseError.self) { try insert(1, sql) }
        #expect(error?.sqlState == "42P01")
        session.connection.rollback(deadlineNs: farDeadlineNs)
        try session.run("CREATE TABLE b (number bigint)")
        #expect(try insert(7, sql) == 7)
        #expect(try insert(8, sql) == 8)
    }

    @Test func whatASessionForgotIsSentAsItIsFromThenOn() throws {
        _ = try insert(1)
        try session.run("DEALLOCATE ALL")
        let error = #expect(throws: DatabaseError.self) { try insert(2) }
        #expect(error?.disposition == .transient)
        #expect(try insert(2) == 6)
        #expect(try insert(3) == 4)
        #expect(try preparedCount == 0)
    }

    @Test func sessionKeepsABoundedNumber() throws {
        let count = Int64(PreparedStatements.countMax + 3)
        for number in 0..<count {
            #expect(try insert(1, "SELECT $1 + \(number)") == number + 1)
        }
        #expect(try preparedCount == Int64(PreparedStatements.countMax))
    }

    @Test func changedTableIsSeen() throws {
        _ = try insert(1)
        try session.run("DROP TABLE a; CREATE TABLE a (number bigint, other text DEFAULT 'x')")
        #expect(try insert(2) == 6)
        #expect(try session.text("SELECT other FROM a") == "x")
    }

    @Test func lostLinkIsTold() throws {
        _ = try insert(1)
        let error = #expect(throws: DatabaseError.self) {
            try insert(1, "SELECT pg_terminate_backend(pg_backend_pid()), $1")
        }
        #expect(error?.disposition == .reconnect)
        #expect(!session.isUsable)
    }
}
