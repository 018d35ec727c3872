// SPDX-License-Identifier: Apache-2.0
import Base
import Foundation
import Testing

@testable import Postgres

// Goal: a batch is committed whole or not at all, and every way to fail is told apart. Method: a
// real server, with rows that it refuses and backends that are killed or stopped.
struct CopyTests {
    private func makeTables(_ session: Session) throws {
        try session.run(
            """
            CREATE TABLE a (id bigint PRIMARY KEY, body text, doc jsonb);
            CREATE TABLE b (id bigint)
            """
        )
    }

    private func rowsOfA(_ ids: some Sequence<Int64>, body: String = "body") -> BinaryRows {
        let rows = BinaryRows()
        for id in ids {
            rows.append([BinaryRows.int8(id), BinaryRows.text(body), BinaryRows.jsonb("{\"a\":1}")])
        }
        return rows
    }

    @Test(arguments: [1, 7, 4_096, 65_536, CopyLimits.chunkSizeBytes])
    func rowsArriveWhereverTheyAreCut(chunkSizeBytes: Int) throws {
        let session = try ScratchDatabase(.empty).connect()
        try makeTables(session)
        let rows = rowsOfA(1...500)
        session.connection.begin()
        try session.copy(
            rows.source(table: "a", columns: "id, body, doc"), chunkSizeBytes: chunkSizeBytes)
        try session.connection.commit(deadlineNs: farDeadlineNs)
        #expect(try session.integer("SELECT count(*) FROM a WHERE body = 'body'") == 500)
        #expect(try session.integer("SELECT sum(id)::bigint FROM a") == 125_250)
        #expect(!session.isInTransaction)
        withExtendedLifetime(rows) {}
    }

    @Test func severalTablesAreOneTransaction() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        try makeTables(session)
        let (rowsA, rowsB) = (rowsOfA(1...3), BinaryRows())
        for id in Int64(1)...4 { rowsB.append([BinaryRows.int8(id)]) }
        let sources = [
            rowsA.source(table: "a", columns: "id, body, doc"),
            rowsB.source(table: "b", columns: "id"),
        ]
        try session.connection.commit(copies: sources, deadlineNs: farDeadlineNs)
        #expect(try database.integer("SELECT count(*) FROM a") == 3)
        #expect(try database.integer("SELECT count(*) FROM b") == 4)
        let transactionCount = try database.integer(
            """
            SELECT count(DISTINCT x)
            FROM (SELECT xmin::text AS x FROM a UNION SELECT xmin::text FROM b) AS rows
            """)
        #expect(transactionCount == 1)
        // The same again breaks the primary key of the first, which must take the second with it.
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.commit(
                copies: sources.reversed(), deadlineNs: farDeadlineNs)
        }
        #expect(error?.sqlState == "23505")
        #expect(error?.disposition == .rejectedRow(table: "a", rowNumber: 1))
        #expect(error?.commitOutcomeUnknown == false)
        #expect(session.isUsable && !session.isInTransaction)
        #expect(try database.integer("SELECT count(*) FROM b") == 4)
        withExtendedLifetime((rowsA, rowsB)) {}
    }

    @Test(arguments: [
        ("NUL in text", "x\u{0}y", "{}", "22021"),
        ("jsonb with an escaped NUL", "x", "{\"a\":\"\\u0000\"}", "22P05"),
        ("jsonb that is none", "x", "{", "22P02"),
        ("jsonb number out of range", "x", "1e400000", "22003"),
    ])
    func poisonRowIsNamed(what: String, body: String, json: String, sqlState: String) throws {
        let session = try ScratchDatabase(.empty).connect()
        try makeTables(session)
        let rows = rowsOfA(1...41)
        rows.append([BinaryRows.int8(42), BinaryRows.text(body), BinaryRows.jsonb(json)])
        for id in Int64(43)...2_000 {
            rows.append([BinaryRows.int8(id), BinaryRows.text("body"), BinaryRows.jsonb("{}")])
        }
        let error = #expect(throws: DatabaseError.self, "\(what)") {
            try session.connection.commit(
                copies: [rows.source(table: "a", columns: "id, body, doc")],
                deadlineNs: farDeadlineNs)
        }
        #expect(error?.sqlState == sqlState)
        #expect(error?.disposition == .rejectedRow(table: "a", rowNumber: 42))
        #expect(session.isUsable)
        #expect(try session.integer("SELECT count(*) FROM a") == 0)
    }

    @Test func wrongBinaryLengthIsAPoisonRow() throws {
        let session = try ScratchDatabase(.empty).connect()
        try makeTables(session)
        let rows = BinaryRows()
        rows.append([BinaryRows.int8(1)])
        rows.append([[1, 2, 3]])
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.commit(
                copies: [rows.source(table: "b", columns: "id")], deadlineNs: farDeadlineNs)
        }
        #expect(error?.sqlState == "08P01")
        #expect(error?.disposition == .rejectedRow(table: "b", rowNumber: 2))
        #expect(session.isUsable)
    }

    @Test(
        arguments: [("nope", .fatal), ("a", .missingColumn)]
            as [(String, DatabaseError.Disposition)])
    func schemaMismatchIsNoFaultOfRows(
        table: String, disposition: DatabaseError.Disposition
    ) throws {
        let session = try ScratchDatabase(.empty).connect()
        try makeTables(session)
        let rows = BinaryRows()
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.commit(
                copies: [rows.source(table: table, columns: "missing")], deadlineNs: farDeadlineNs)
        }
        #expect(error?.disposition == disposition)
        #expect(error?.commitOutcomeUnknown == false)
        #expect(session.isUsable && !session.isInTransaction)
    }

    @Test func missingPartitionIsNamed() throws {
        let session = try ScratchDatabase().connect()
        let rows = BinaryRows()
        let fields = [1_000, 2_000, 3].map { BinaryRows.int8($0) } + [BinaryRows.int4(1)]
        rows.append(fields + [[UInt8](repeating: 7, count: 16)])
        let columns = "start_time_unix_nano, end_time_unix_nano, span_id, resource_id, trace_id"
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.commit(
                copies: [rows.source(table: "otel_spans_fact", columns: columns)],
                deadlineNs: farDeadlineNs)
        }
        #expect(error?.disposition == .missingPartition(table: "otel_spans_fact"))
    }

    /// A poison row at the front of a long batch: the rest is not sent.
    @Test func errorEndsTheCopyEarly() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        try makeTables(session)
        let rows = rowsOfA([1], body: "x\u{0}y")
        let whole = rows.slice()
        var takenCount = 0
        let chunks = (0..<1_000).lazy.map { index in
            takenCount = index + 1
            if index == 1 {
                try? database.waitForSession(where: "state = 'idle in transaction (aborted)'")
            }
            return whole
        }
        session.connection.begin()
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.copyIn(
                "COPY a (id, body, doc) FROM STDIN (FORMAT binary)", table: "a", chunks: chunks,
                deadlineNs: farDeadlineNs)
        }
        session.connection.rollback(deadlineNs: farDeadlineNs)
        #expect(error?.disposition == .rejectedRow(table: "a", rowNumber: 1))
        #expect(takenCount == 2)
        #expect(session.isUsable && !session.isInTransaction)
        withExtendedLifetime(rows) {}
    }

    /// Notices are no errors, even when there are so many that they arrive in halves.
    @Test func noticesAmidACopyAreRead() throws {
        let session = try ScratchDatabase(.empty).connect()
        try makeTables(session)
        try session.run(
            """
            CREATE FUNCTION talk() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE NOTICE '%', repeat('x', 999); RETURN NEW; END $$;
            CREATE TRIGGER talking BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION talk()
            """)
        let rows = rowsOfA(1...20_000)
        let source = rows.source(table: "a", columns: "id, body, doc")
        var failureCount = 0
        while failureCount < 2 {
            do throws(DatabaseError) {
                try session.connection.commit(copies: [source], deadlineNs: farDeadlineNs)
                break
            } catch {
                #expect(error.disposition == .transient)
                failureCount += 1
            }
        }
        #expect(failureCount <= 1)
        #expect(try session.integer("SELECT count(*) FROM a") == 20_000)
        #expect(session.connection.newestNotices.count == 8)
        withExtendedLifetime(rows) {}
    }

    /// A server that takes the data slowly, but steadily, never makes us wait long at a time.
    @Test func deadlineEndsACopyThatProgresses() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        try session.run("CREATE TABLE a (id bigint, body text, doc jsonb)")
        let rows = rowsOfA(1...1)
        let whole = rows.slice()
        session.connection.begin()
        try session.run("SELECT 1")
        let header = whole.slice(offset: 0, count: 19)
        let deadlineNs = Deadline.inMs(20)
        let endless = (0..<Int.max).lazy.map { index in
            index == 0 ? header : whole.slice(offset: 19, count: whole.count - 21)
        }
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.copyIn(
                "COPY a (id, body, doc) FROM STDIN (FORMAT binary)", table: "a", chunks: endless,
                deadlineNs: deadlineNs)
        }
        #expect(error?.code == .timedOut)
        #expect(!session.isUsable)
        withExtendedLifetime(rows) {}
    }

    @Test func terminatedBackendAsksForReconnect() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        try makeTables(session)
        let rows = rowsOfA(1...10)
        session.connection.begin()
        try session.copy(rows.source(table: "a", columns: "id, body, doc"))
        let processID = session.connection.backendProcessID
        #expect(try database.integer("SELECT pg_terminate_backend(\(processID), 30000)::int") == 1)
        let more = BinaryRows()
        more.append([BinaryRows.int8(1)])
        let error = #expect(throws: DatabaseError.self) {
            try session.copy(more.source(table: "b", columns: "id"))
        }
        #expect(error?.disposition == .reconnect)
        #expect(!session.isUsable)
        #expect(try database.integer("SELECT count(*) FROM a") == 0)
        withExtendedLifetime((rows, more)) {}
    }

    /// The backend dies while it reads the data; COMMIT is queued behind them, but cannot have run.
    @Test func backendTerminatedAmidTheDataAsksForReconnect() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        try makeTables(session)
        let processID = session.connection.backendProcessID
        let killer = WorkerThread(name: "killer") {
            try? database.waitForSession(where: "query LIKE '%COPY%' AND state = 'active'")
            _ = try? database.integer("SELECT pg_terminate_backend(\(processID), 30000)::int")
        }
        let rows = rowsOfA(1...50_000, body: String(repeating: "b", count: 1_000))
        let piece = rows.slice()
        var error: DatabaseError?
        while error == nil {  // until the killer has struck, which may be between two batches
            do throws(DatabaseError) {
                try session.connection.commit(
                    copies: [
                        CopySource(
                            statement: "COPY a (id, body, doc) FROM STDIN (FORMAT binary)",
                            table: "a", chunks: [piece])
                    ], deadlineNs: farDeadlineNs)
                session.connection.begin()
                try session.connection.execute("TRUNCATE a", deadlineNs: farDeadlineNs)
                try session.connection.commit(deadlineNs: farDeadlineNs)
            } catch let caught { error = caught }
        }
        killer.join()
        #expect(error?.disposition == .reconnect)
        #expect(!session.isUsable)
        let next = try database.connect()
        #expect(try next.integer("SELECT count(*) FROM b") == 0)
        withExtendedLifetime(rows) {}
    }

    @Test func lossAfterCommitWasSentIsToldApart() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        try makeTables(session)
        // The COMMIT waits in a deferred trigger, and there the backend is killed.
        try session.run(
            """
            CREATE FUNCTION wait_long() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER waiting AFTER INSERT ON b INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION wait_long()
            """)
        let processID = session.connection.backendProcessID
        let killer = WorkerThread(name: "killer") {
            try? database.waitForSession(where: "wait_event = 'PgSleep'")
            _ = try? database.integer("SELECT pg_terminate_backend(\(processID), 30000)::int")
        }
        let rows = BinaryRows()
        rows.append([BinaryRows.int8(1)])
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.commit(
                copies: [rows.source(table: "b", columns: "id")], deadlineNs: farDeadlineNs)
        }
        killer.join()
        #expect(error?.disposition == .reconnect)
        #expect(error?.commitOutcomeUnknown == true)
    }

    @Test func commitOfAFailedTransactionIsNoSuccess() throws {
        let session = try ScratchDatabase(.empty).connect()
        session.connection.begin()
        #expect(throws: DatabaseError.self) { try session.run("SELECT nope") }
        let error = #expect(throws: DatabaseError.self) {
            try session.connection.commit(deadlineNs: farDeadlineNs)
        }
        #expect(error?.disposition == .transient)
        #expect(error?.commitOutcomeUnknown == false)
        #expect(!session.isInTransaction)
    }
}
