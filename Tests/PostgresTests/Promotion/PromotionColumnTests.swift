// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Rows
import Synchronization
import Testing

@testable import Postgres

// Goal: the columns that are wanted are there, with their registry, whoever else adds columns or
// writes rows meanwhile. Method: a real server, with sessions that hold what is in the way.
struct PromotionColumnTests {
    private static func wanted(
        _ keys: [String], _ type: AttributeType = .string, signal: PromotedSignal = .spans
    ) -> [WantedColumn] {
        keys.map { WantedColumn(signal: signal, key: $0, type: type) }
    }

    private func columns(_ session: Session, _ table: String) throws -> [String] {
        try session.texts(
            """
            SELECT attname || ' ' || atttypid::regtype FROM pg_attribute
            WHERE attrelid = '\(table)'::regclass AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
            """)
    }

    @Test func columnsAreAddedAndRegistered() throws {
        let session = try ScratchDatabase().connect()
        let wanted =
            AttributeType.allCases.map {
                WantedColumn(signal: .spans, key: "k.\($0.rawValue)", type: $0)
            } + [
                WantedColumn(signal: .spans, key: "k.int", type: .double),
                WantedColumn(signal: .logs, key: "event_name", type: .string),
            ]
        let before = try columns(session, "otel_spans_fact")
        #expect(
            try PromotionColumns.pending(
                wanted + wanted, on: &session.connection, deadlineNs: farDeadlineNs) == wanted)
        let added = try PromotionColumns.ensure(
            wanted + wanted, on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(Set(added.map(\.wanted)) == Set(wanted))
        #expect(added.allSatisfy { $0.isUsable })
        #expect(
            try columns(session, "otel_spans_fact") == before + [
                "k_int bigint", "k_double double precision", "k_int_double double precision",
                "k_bool boolean", "k_string text", "k_bytes bytea",
            ])
        #expect(try columns(session, "otel_logs_fact").last == "attr_event_name text")
        #expect(
            try session.text(
                "SELECT col_description('otel_spans_fact'::regclass, attnum) FROM pg_attribute "
                    + "WHERE attrelid = 'otel_spans_fact'::regclass AND attname = 'k_bool'")
                == "Attribute k.bool where it is of type bool")
        // A second time there is nothing to do.
        #expect(
            try PromotionColumns.ensure(
                wanted, on: &session.connection, deadlineNs: farDeadlineNs) == [])
        let registered = try PromotionColumns.registered(
            on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(Set(registered) == Set(added))
        #expect(
            registered.filter { $0.signal == .spans }.map(\.column.name).first == "k_int")
    }

    @Test func namesOfAnyKindAreAccepted() throws {
        let session = try ScratchDatabase().connect()
        let keys = ["it's", "a\"b", "back\\slash", "table", "xmin", "ключ", "a.b", "a-b", "A.b"]
        let added = try PromotionColumns.ensure(
            PromotionColumnTests.wanted(keys), on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(added.count == keys.count)
        #expect(Set(added.map(\.column.name)).count == keys.count)
        let layout = TableLayout(table: .spans, promoted: added.map(\.column))
        let empty = BinaryRows()
        let source = CopySource(
            statement: layout.copyStatement, table: layout.table.name, chunks: [empty.slice()])
        try session.connection.commit(copies: [source], deadlineNs: farDeadlineNs)
        withExtendedLifetime(empty) {}
    }

    @Test func columnsThatAPersonTookAwayAreNoLongerUsable() throws {
        let session = try ScratchDatabase().connect()
        let wanted = PromotionColumnTests.wanted(["a", "b"], .int)
        try PromotionColumns.ensure(wanted, on: &session.connection, deadlineNs: farDeadlineNs)
        try session.run("ALTER TABLE otel_spans_fact DROP COLUMN a")
        #expect(
            try PromotionColumns.registered(on: &session.connection, deadlineNs: farDeadlineNs)
                .map { "\($0.column.name) \($0.isUsable)" }.sorted() == ["a false", "b true"])
        // It comes back under its name.
        let added = try PromotionColumns.ensure(
            wanted, on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(added.map(\.column.name) == ["a"])
        try session.run(
            """
            ALTER TABLE otel_spans_fact DROP COLUMN a;
            ALTER TABLE otel_spans_fact ADD COLUMN a text
            """)
        let error = #expect(throws: DatabaseError.self) {
            try PromotionColumns.ensure(wanted, on: &session.connection, deadlineNs: farDeadlineNs)
        }
        #expect(error?.disposition == .fatal)
        #expect(
            error?.message.contains("column a of otel_spans_fact is not of type bigint") == true)
    }

    @Test func thereIsABoundOnColumns() throws {
        let session = try ScratchDatabase().connect()
        let keys = (0...AttributePlan.columnCountMax).map { "key.\($0)" }
        let error = #expect(throws: DatabaseError.self) {
            try PromotionColumns.ensure(
                PromotionColumnTests.wanted(keys), on: &session.connection,
                deadlineNs: farDeadlineNs)
        }
        #expect(error?.code == .badSettings)
        let added = try PromotionColumns.ensure(
            PromotionColumnTests.wanted(Array(keys.dropLast())), on: &session.connection,
            deadlineNs: farDeadlineNs)
        #expect(added.count == AttributePlan.columnCountMax)
    }

    @Test func withoutARegistryThereAreNoColumns() throws {
        let session = try ScratchDatabase(.empty).connect()
        #expect(
            try PromotionColumns.registered(on: &session.connection, deadlineNs: farDeadlineNs)
                == [])
        let wanted = PromotionColumnTests.wanted(["a"])
        #expect(
            try PromotionColumns.pending(
                wanted, on: &session.connection, deadlineNs: farDeadlineNs) == wanted)
    }

    // Several daemons with different wishes at once.
    @Test func severalDaemonsAgree() throws {
        let database = try ScratchDatabase()
        let threads = (0..<6).map { number in
            WorkerThread(name: "columns") {
                do {
                    let session = try database.connect()
                    let keys = (0..<10).map { "key.\(number + $0)" }
                    for type in [AttributeType.string, .int] {
                        try PromotionColumns.ensure(
                            PromotionColumnTests.wanted(keys, type), on: &session.connection,
                            deadlineNs: farDeadlineNs)
                    }
                } catch {
                    Issue.record(error)
                }
            }
        }
        for thread in threads { thread.join() }
        let session = try database.connect()
        let registered = try PromotionColumns.registered(
            on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(registered.count == 30)
        #expect(registered.allSatisfy { $0.isUsable })
        #expect(Set(registered.map(\.column.name)).count == 30)
    }

    // A writer that never pauses for long, in partitions that are made meanwhile; every row
    // arrives.
    @Test func columnsAreAddedBesideWriters() throws {
        let database = try ScratchDatabase()
        let isDone = Atomic<Bool>(false)
        let batchCount = Atomic<Int>(0)
        let writers = (0..<3).map { number in
            WorkerThread(name: "writer") {
                do {
                    try PromotionColumnTests.write(database, Int32(number), isDone, batchCount)
                } catch {
                    Issue.record(error)
                }
            }
        }
        let session = try database.connect()
        try waitUntil("writers at work") { batchCount.load(ordering: .relaxed) >= 6 }
        for round in 0..<10 {
            let before = batchCount.load(ordering: .relaxed)
            let keys = (0..<5).map { "round.\(round).key.\($0)" }
            let added = try PromotionColumns.ensure(
                PromotionColumnTests.wanted(keys), on: &session.connection,
                deadlineNs: farDeadlineNs)
            #expect(added.count == 5)
            try waitUntil("writers going on") {
                batchCount.load(ordering: .relaxed) >= before + 3
            }
        }
        isDone.store(true, ordering: .relaxed)
        for thread in writers { thread.join() }
        let storedCount = try session.integer("SELECT count(*) FROM otel_spans_fact")
        #expect(storedCount == Int64(batchCount.load(ordering: .relaxed)))
        // Every partition has every column.
        #expect(
            try session.integer(
                """
                SELECT count(*) FROM pg_inherits WHERE inhparent = 'otel_spans_fact'::regclass
                    AND NOT EXISTS (SELECT FROM pg_attribute
                        WHERE attrelid = inhrelid AND attname = 'round_9_key_4')
                """) == 0)
    }

    /// One row per batch, each in a partition of its own for the first hundred.
    private static func write(
        _ database: ScratchDatabase, _ number: Int32, _ isDone: borrowing Atomic<Bool>,
        _ batchCount: borrowing Atomic<Int>
    ) throws {
        let session = try database.connect()
        let maker = PartitionMaker(interval: .oneHour, cache: PartitionCache())
        var index: Int64 = 0
        while !isDone.load(ordering: .relaxed) {
            let startNs = (472_000 + index % 100) * 3_600_000_000_000
            try maker.ensure(
                table: "otel_spans_fact", startsNs: [startNs], on: &session.connection,
                deadlineNs: farDeadlineNs)
            let rows = BinaryRows()
            rows.append([
                BinaryRows.int8(startNs), BinaryRows.int8(startNs), BinaryRows.int8(index + 1),
                BinaryRows.int4(number), Array(1...16),
            ])
            let source = rows.source(
                table: "otel_spans_fact",
                columns: "start_time_unix_nano, end_time_unix_nano, span_id, resource_id, trace_id")
            try session.connection.commit(copies: [source], deadlineNs: farDeadlineNs)
            batchCount.add(1, ordering: .relaxed)
            index += 1
        }
    }

    // Somebody holds the table for longer than one attempt waits.
    @Test func aTableThatIsInUseIsWaitedForInShortTurns() throws {
        let database = try ScratchDatabase()
        let reader = try database.connect()
        try reader.run("BEGIN; SELECT count(*) FROM otel_spans_fact")
        let isAdded = Atomic<Bool>(false)
        let thread = WorkerThread(name: "columns") {
            do {
                let session = try database.connect()
                try PromotionColumns.ensure(
                    PromotionColumnTests.wanted(["a"]), on: &session.connection,
                    deadlineNs: farDeadlineNs)
                isAdded.store(true, ordering: .releasing)
            } catch {
                Issue.record(error)
            }
        }
        try database.waitForSession(where: "wait_event_type = 'Lock'")
        // Between two attempts others pass.
        let other = try database.connect()
        #expect(try other.integer("SELECT count(*) FROM otel_spans_fact") == 0)
        let isEarly = isAdded.load(ordering: .acquiring)
        #expect(!isEarly)
        try reader.run("COMMIT")
        thread.join()
        let isAtLast = isAdded.load(ordering: .acquiring)
        #expect(isAtLast)
    }

    // Writers are held up by one daemon at a time, not by all of them in turns.
    @Test func oneDaemonAtATimeWaitsForTheTable() throws {
        let database = try ScratchDatabase()
        let reader = try database.connect()
        try reader.run("BEGIN; SELECT count(*) FROM otel_spans_fact")
        let threads = (0..<4).map { number in
            WorkerThread(name: "columns") {
                do {
                    let session = try database.connect()
                    try PromotionColumns.ensure(
                        PromotionColumnTests.wanted(["a", "b\(number)"]), on: &session.connection,
                        deadlineNs: farDeadlineNs)
                } catch {
                    Issue.record(error)
                }
            }
        }
        let observer = try database.connect()
        var waiters: Set<String> = []
        var attempts: Set<String> = []
        try waitUntil("four attempts") {
            let found = try observer.texts(
                """
                SELECT pid || ' ' || query_start FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND locktype = 'relation' AND datname = current_database()
                """)
            waiters.formUnion(found.map { String($0.prefix { $0 != " " }) })
            attempts.formUnion(found)
            return attempts.count >= 4
        }
        #expect(waiters.count == 1)
        try reader.run("COMMIT")
        for thread in threads { thread.join() }
        #expect(try observer.integer("SELECT count(*) FROM otel_attribute_columns") == 5)
    }

    // Closing a partition may take an hour.
    @Test func otherJobsAreNotInTheWay() throws {
        let database = try ScratchDatabase()
        let (session, other) = (try database.connect(), try database.connect())
        for job in [MaintenanceJob.closing, .retention] {
            let isDone: Void? = try other.connection.withJob(job, deadlineNs: farDeadlineNs) {
                _ throws(DatabaseError) in
                try PromotionColumns.ensure(
                    PromotionColumnTests.wanted(["during.\(job)"]), on: &session.connection,
                    deadlineNs: Deadline.inMs(20_000))
            }
            #expect(isDone != nil)
        }
    }

    @Test func withoutTheLockTheDeadlineEndsIt() throws {
        let database = try ScratchDatabase()
        let reader = try database.connect()
        try reader.run("BEGIN; SELECT count(*) FROM otel_spans_fact")
        let session = try database.connect()
        let error = #expect(throws: DatabaseError.self) {
            try PromotionColumns.ensure(
                PromotionColumnTests.wanted(["a"]), on: &session.connection,
                deadlineNs: Deadline.inMs(700))
        }
        #expect(error?.sqlState == "55P03" || error?.code == .timedOut)
        try reader.run("COMMIT")
        #expect(
            try reader.integer("SELECT count(*) FROM otel_attribute_columns") == 0)
    }
}
