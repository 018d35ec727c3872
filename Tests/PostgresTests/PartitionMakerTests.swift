// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Synchronization
import Testing

@testable import Postgres

private let hourNs = PartitionName.hourNs
private let dayNs = PartitionName.dayNs
/// 2026-11-21T00:00:00Z
private let dayStartNs: Int64 = 20_778 * dayNs
private let spans = "otel_spans_fact"

// Goal: partitions are there when rows come, whoever made them, and nobody waits for their making.
// Method: the migrated schema, several sessions, and locks held by others.
struct PartitionMakerTests {
    private func maker(_ interval: PartitionInterval = .oneDay) -> PartitionMaker {
        PartitionMaker(interval: interval, cache: PartitionCache())
    }

    private func ensure(
        _ maker: PartitionMaker, _ startsNs: [Int64], on session: Session, table: String = spans
    ) throws -> Int {
        try maker.ensure(
            table: table, startsNs: startsNs, on: &session.connection, deadlineNs: farDeadlineNs)
    }

    private func partitions(of table: String = spans, _ session: Session) throws -> [String] {
        try session.texts(
            """
            SELECT inhrelid::regclass::text || ' ' || pg_get_expr(relpartbound, inhrelid)
            FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = '\(table)'::regclass ORDER BY 1
            """)
    }

    @Test func partitionIsMadeOnceAndWithItsIndexes() throws {
        let session = try ScratchDatabase().connect()
        let maker = maker()
        #expect(try ensure(maker, [dayStartNs], on: session) == 1)
        #expect(try ensure(maker, [dayStartNs], on: session) == 0)
        // Without what the cache knows: the database is asked, and has it already.
        #expect(try ensure(self.maker(), [dayStartNs], on: session) == 0)
        #expect(
            try partitions(session) == [
                "otel_spans_fact_p20261121 FOR VALUES FROM "
                    + "('1795219200000000000') TO ('1795305600000000000')"
            ])
        let indexCount = try session.integer(
            """
            SELECT count(*) FROM pg_index
            JOIN pg_inherits ON inhrelid = indexrelid
            WHERE indrelid = 'otel_spans_fact_p20261121'::regclass AND indisvalid
            """)
        let parentCount = try session.integer(
            "SELECT count(*) FROM pg_index WHERE indrelid = 'otel_spans_fact'::regclass")
        #expect(indexCount == parentCount && parentCount > 0)
    }

    @Test func everyFactTableTakesPartitionsAhead() throws {
        let session = try ScratchDatabase().connect()
        let tables = FactTable.allCases.map(\.name)
        let maker = maker()
        let count = try maker.ensureAhead(
            tables: tables, nowUnixNs: dayStartNs + 5 * hourNs, aheadNs: 7 * dayNs,
            on: &session.connection,
            deadlineNs: farDeadlineNs)
        #expect(count == 6 * 8)
        for table in tables {
            let made = try partitions(of: table, session)
            #expect(made.first?.hasPrefix("\(table)_p20261121 ") == true)
            #expect(made.last?.hasPrefix("\(table)_p20261128 ") == true)
        }
        let again = try maker.ensureAhead(
            tables: tables, nowUnixNs: dayStartNs + dayNs, aheadNs: 7 * dayNs,
            on: &session.connection,
            deadlineNs: farDeadlineNs)
        #expect(again == 6)
    }

    /// More than fit into one transaction.
    @Test func manyPartitionsAreMadeInSteps() throws {
        let session = try ScratchDatabase().connect()
        let startsNs = (0..<Int64(40)).map { dayStartNs + $0 * hourNs }
        #expect(try ensure(maker(.oneHour), startsNs, on: session) == 40)
        #expect(try partitions(session).count == 40)
    }

    @Test func changedIntervalTakesTheRoomThatIsLeft() throws {
        let session = try ScratchDatabase().connect()
        let hours = maker(.oneHour)
        #expect(
            try ensure(hours, [dayStartNs + 5 * hourNs, dayStartNs + 7 * hourNs], on: session) == 2)
        let days = maker()
        #expect(try ensure(days, [dayStartNs], on: session) == 3)
        #expect(
            try partitions(session).map { $0.split(separator: " ")[0] } == [
                "otel_spans_fact_p20261121", "otel_spans_fact_p20261121_05",
                "otel_spans_fact_p20261121_06", "otel_spans_fact_p20261121_07",
                "otel_spans_fact_p20261121_08",
            ])
        #expect(try ensure(hours, [dayStartNs + 6 * hourNs], on: session) == 0)
        let weeks = maker(.sevenDays)
        #expect(try ensure(weeks, [weeks.interval.start(of: dayStartNs)], on: session) == 2)
        let ranges = try PartitionMaker.load(
            spans, on: &session.connection, deadlineNs: farDeadlineNs)
        let weekNs = weeks.interval.start(of: dayStartNs)
        #expect(ranges.covers(PartitionRange(fromNs: weekNs, untilNs: weekNs + 7 * dayNs)))
    }

    @Test func openEndedPartitionsMadeByHandCount() throws {
        let session = try ScratchDatabase().connect()
        try session.run(
            """
            CREATE TABLE old PARTITION OF otel_spans_fact
                FOR VALUES FROM (MINVALUE) TO (\(dayStartNs - 1));
            CREATE TABLE new PARTITION OF otel_spans_fact
                FOR VALUES FROM (\(dayStartNs + dayNs)) TO (MAXVALUE)
            """)
        let startsNs = (-2...2).map { dayStartNs + $0 * dayNs }
        #expect(try ensure(maker(), startsNs, on: session) == 2)
        #expect(
            try partitions(session).map { String($0.split(separator: " ")[0]) } == [
                "new", "old", "otel_spans_fact_p20261121", "otel_spans_fact_t1795219199999999999",
            ])
    }

    @Test func detachedTableOfThatNameIsReported() throws {
        let session = try ScratchDatabase().connect()
        try session.run("CREATE TABLE otel_spans_fact_p20261121 (id int)")
        let error = #expect(throws: DatabaseError.self) {
            try ensure(maker(), [dayStartNs], on: session)
        }
        #expect(error?.sqlState == "42P07")
        #expect(error?.disposition == .fatal)
        #expect(session.isUsable && !session.isInTransaction)
    }

    @Test func daemonsMayMakeThemAtOnce() throws {
        let database = try ScratchDatabase()
        let startsNs = (0..<Int64(20)).map { dayStartNs + $0 * dayNs }
        let madeCount = Atomic<Int>(0)
        let threads = (0..<4).map { _ in
            WorkerThread(name: "partitions") {
                do {
                    let session = try database.connect()
                    let made = try ensure(maker(), startsNs, on: session)
                    madeCount.add(made, ordering: .relaxed)
                } catch {
                    Issue.record(error)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(madeCount.load(ordering: .relaxed) == 20)
        #expect(try partitions(database.connect()).count == 20)
    }

    /// A batch under way in the same table neither waits for the new partition nor delays it.
    @Test func openTransactionsAreNotInTheWay() throws {
        let database = try ScratchDatabase()
        let writer = try database.connect()
        #expect(try ensure(maker(), [dayStartNs], on: writer) == 1)
        writer.connection.begin()
        try writer.run("LOCK TABLE otel_spans_fact IN ROW EXCLUSIVE MODE")
        let reader = try database.connect()
        reader.connection.begin()
        try reader.run("SELECT count(*) FROM otel_spans_fact")
        let session = try database.connect()
        // No time for a second attempt.
        let made = try maker().ensure(
            table: spans, startsNs: [dayStartNs + dayNs], on: &session.connection,
            deadlineNs: farDeadlineNs)
        #expect(made == 1)
        #expect(!session.connection.newestNotices.contains { $0.sqlState == "55P03" })
        try writer.connection.commit(deadlineNs: farDeadlineNs)
        try reader.connection.commit(deadlineNs: farDeadlineNs)
    }

    @Test func heldLockIsGivenUpOnSoonAndTriedAgain() throws {
        let database = try ScratchDatabase()
        let holder = try database.connect()
        holder.connection.begin()
        try holder.run("LOCK TABLE otel_spans_fact IN ACCESS EXCLUSIVE MODE")
        let session = try database.connect()
        let impatient = #expect(throws: DatabaseError.self) {
            try maker().ensure(
                table: spans, startsNs: [dayStartNs], on: &session.connection,
                deadlineNs: Deadline.inMs(PartitionMaker.lockTimeoutMs + 100))
        }
        #expect(impatient?.sqlState == "55P03" || impatient?.code == .timedOut)
        let made = Mutex<Int?>(nil)
        let thread = WorkerThread(name: "partitions") {
            do {
                let count = try ensure(maker(), [dayStartNs], on: database.connect())
                made.withLock { $0 = count }
            } catch {
                Issue.record(error)
            }
        }
        try database.waitForSession(where: "wait_event_type = 'Lock'")
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        thread.join()
        #expect(made.withLock { $0 } == 1)
    }
}

struct LogIDTests {
    @Test func blocksDoNotOverlap() throws {
        let database = try ScratchDatabase()
        let sessions = [try database.connect(), try database.connect()]
        var firsts: Set<Int64> = []
        for _ in 0..<3 {
            for session in sessions {
                let block = try session.connection.reserveLogIDs(deadlineNs: farDeadlineNs)
                #expect(block.count == 1_000_000 && block.first % 1_000_000 == 0 && block.first > 0)
                firsts.insert(block.first)
            }
        }
        #expect(firsts.count == 6)
    }
}
