// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Synchronization
import Testing

@testable import Postgres

private let dayNs = PartitionName.dayNs
/// 2026-11-21T00:00:00Z
private let startNs: Int64 = 20_778 * dayNs
/// Everything of that day has expired.
private let laterNs = startNs + 40 * dayNs
private let oldName = "otel_spans_fact_p20261121"

// Goal: a partition goes without anybody having to wait, and an attempt that was cut short at any
// point is completed by the next. Method: transactions that hold on to the table; each state that a
// crash can leave, made by hand.
struct PartitionDropperTests {
    private func round(patienceMs: Int = 20_000, detachTimeoutMs: Int = 20_000) -> RetentionRound {
        var round = RetentionRound(nowUnixNs: laterNs, cache: PartitionCache())
        round.patienceMs = patienceMs
        round.dropper.detachTimeoutMs = detachTimeoutMs
        return round
    }

    /// A database with an expired partition and a present one, with rows in both.
    private func database() throws -> ScratchDatabase {
        let database = try ScratchDatabase()
        let session = try database.connect()
        try session.makePartitions([startNs, laterNs])
        try session.insertSpans(100, at: startNs)
        try session.insertSpans(10, at: laterNs)
        return database
    }

    /// A session in a transaction that has read or written the expired partition.
    private func holder(_ database: ScratchDatabase, isWriter: Bool) throws -> Session {
        let holder = try database.connect()
        holder.connection.begin()
        if isWriter {
            try holder.insertSpans(at: startNs + 5_000)
        } else {
            try holder.run("SELECT count(*) FROM otel_spans_fact")
        }
        return holder
    }

    /// Reads and writes as everybody does, without being ready to wait for a lock.
    private func useTable(_ database: ScratchDatabase) throws {
        let session = try database.connect()
        try session.run("SET lock_timeout = 1")
        try session.insertSpans(at: laterNs + 1_000)
        _ = try session.integer("SELECT count(*) FROM otel_spans_fact")
    }

    @Test func droppedPartitionIsLogged() throws {
        let database = try database()
        let session = try database.connect()
        let sizeBytes = try session.partitions()[0].sizeBytes
        #expect(sizeBytes > 0)
        #expect(try round().events(session) == ["dropped \(oldName)"])
        #expect(try session.states() == ["otel_spans_fact_p20261231 live"])
        #expect(try session.integer("SELECT count(*) FROM otel_spans_fact") == 10)
        let logged = try session.text(
            """
            SELECT concat_ws(' ', action, object, signal, detail ->> 'reason',
                detail ->> 'from_unix_nano', bytes_freed) FROM otel_maintenance_log
            """)
        #expect(
            logged == "drop_partition \(oldName) traces older than 30 days \(startNs) \(sizeBytes)")
        #expect(try round().events(session) == [])
    }

    @Test(arguments: [false, true])
    func nobodyWaitsWhileATransactionHoldsOn(isWriter: Bool) throws {
        let database = try database()
        let holder = try holder(database, isWriter: isWriter)
        let events = Mutex<[String]?>(nil)
        let thread = WorkerThread(name: "round") {
            do {
                let found = try round().events(database.connect())
                events.withLock { $0 = found }
            } catch {
                Issue.record(error)
            }
        }
        try database.waitForSession(
            where: "wait_event = 'virtualxid' AND query LIKE '%DETACH%CONCURRENTLY%'")
        try useTable(database)
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        thread.join()
        #expect(events.withLock { $0 } == ["dropped \(oldName)"])
    }

    /// The lock of VACUUM or of an index under way is in the way of the first step.
    @Test func lockOnThePartitionPostponesEverything() throws {
        let database = try database()
        let holder = try database.connect()
        holder.connection.begin()
        try holder.run("LOCK TABLE \(oldName) IN SHARE UPDATE EXCLUSIVE MODE")
        let session = try database.connect()
        #expect(try round(patienceMs: 1).events(session) == ["postponed \(oldName)"])
        #expect(try session.states().first == "\(oldName) live")
        #expect(session.isUsable && !session.isInTransaction)
        try useTable(database)
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        #expect(try round().events(session) == ["dropped \(oldName)"])
    }

    @Test func interruptedDetachIsFinishedByTheNextRound() throws {
        let database = try database()
        let holder = try holder(database, isWriter: false)
        let session = try database.connect()
        let hasty = round(patienceMs: 1, detachTimeoutMs: 1)
        #expect(try hasty.events(session) == ["postponed \(oldName)"])
        #expect(try session.states().first == "\(oldName) detaching")
        // Nobody sees its rows any more, and nobody waits.
        #expect(try session.integer("SELECT count(*) FROM otel_spans_fact") == 10)
        try useTable(database)
        // The daemon is restarted meanwhile, and still cannot go on.
        let next = try database.connect()
        #expect(try hasty.events(next) == ["postponed \(oldName)"])
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        #expect(try round().events(next) == ["finished \(oldName) dropped"])
        #expect(try next.states() == ["otel_spans_fact_p20261231 live"])
        #expect(try next.maintenanceActions() == ["drop_partition \(oldName)"])
    }

    @Test func crashBeforeTheDropIsFinished() throws {
        let database = try database()
        let session = try database.connect()
        let partition = try session.partitions()[0]
        try session.run("COMMENT ON TABLE \(oldName) IS '\(PartitionMark.text(partition))'")
        try session.run("ALTER TABLE otel_spans_fact DETACH PARTITION \(oldName)")
        let found = try session.partitions().last
        #expect(found?.state == .detached && found?.range == partition.range)
        #expect(try round().events(session) == ["finished \(oldName) dropped"])
        #expect(try session.maintenanceActions() == ["drop_partition \(oldName)"])
    }

    /// Somebody wants to keep what is in it: it stays a table of his.
    @Test func detachOfSomebodyElseIsFinishedAndTheTableKept() throws {
        let database = try database()
        let holder = try holder(database, isWriter: false)
        let session = try database.connect()
        try session.run("SET lock_timeout = 1")
        #expect(throws: DatabaseError.self) {
            try session.run("ALTER TABLE otel_spans_fact DETACH PARTITION \(oldName) CONCURRENTLY")
        }
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        #expect(try round().events(session) == ["finished \(oldName) detached"])
        #expect(try session.integer("SELECT count(*) FROM \(oldName)") == 100)
        #expect(try session.maintenanceActions() == ["finish_detach \(oldName)"])
        #expect(try round().events(session) == [])
        #expect(try session.integer("SELECT count(*) FROM \(oldName)") == 100)
    }

    /// The policy was changed after a crash: what stays must not bear the mark, lest it be dropped
    /// when somebody detaches it.
    @Test func markIsTakenOffWhatStays() throws {
        let database = try database()
        let session = try database.connect()
        let partition = try session.partitions()[0]
        try session.run("COMMENT ON TABLE \(oldName) IS '\(PartitionMark.text(partition))'")
        try session.setRetention(.traces, RetentionRule(days: 41))
        #expect(try session.partitions()[0].isMarked)
        #expect(try round().events(session) == [])
        #expect(try !session.partitions()[0].isMarked)
        #expect(try session.states().first == "\(oldName) live")
    }

    /// A partition that will not go does not keep those of other tables.
    @Test func stuckTableDoesNotStopOthers() throws {
        let database = try database()
        let session = try database.connect()
        try session.makePartitions([startNs], of: .logs)
        try session.makePartitions([startNs + dayNs])
        let holder = try database.connect()
        holder.connection.begin()
        try holder.run("LOCK TABLE \(oldName) IN SHARE UPDATE EXCLUSIVE MODE")
        #expect(
            try round(patienceMs: 1).events(session) == [
                "postponed \(oldName)", "dropped otel_logs_fact_p20261121",
            ])
        try holder.connection.commit(deadlineNs: farDeadlineNs)
    }

    /// A default partition rules out what makes nobody wait. It is left to its owner, and others
    /// go.
    @Test func defaultPartitionIsReported() throws {
        let database = try database()
        let session = try database.connect()
        try session.run("CREATE TABLE rest PARTITION OF otel_spans_fact DEFAULT")
        try session.makePartitions([startNs], of: .logs)
        #expect(
            try round().events(session) == [
                "postponed \(oldName)", "dropped otel_logs_fact_p20261121",
            ])
        #expect(try session.states().first == "\(oldName) live")
    }

    @Test func droppedByHandMeanwhileIsNoError() throws {
        let database = try database()
        let session = try database.connect()
        let partition = try session.partitions()[0]
        try session.run("DROP TABLE \(oldName)")
        let freedBytes = try PartitionDropper().drop(
            Expiry(partition: partition, reason: .request), on: &session.connection,
            retryUntilNs: farDeadlineNs)
        #expect(freedBytes == nil)
    }

    /// A name that a person gave, in another schema.
    @Test func strangeNamesAreQuoted() throws {
        let session = try ScratchDatabase().connect()
        try session.run(
            """
            CREATE SCHEMA "My archive";
            CREATE TABLE "My archive"."Old; DROP" PARTITION OF otel_spans_fact
                FOR VALUES FROM (MINVALUE) TO (\(startNs))
            """)
        try session.insertSpans(at: startNs - 1)
        #expect(try round().events(session) == ["dropped Old; DROP"])
        #expect(try session.partitions().isEmpty)
    }

    /// The writer finds out and makes the partition again.
    @Test func cacheForgetsWhatWasDropped() throws {
        let session = try ScratchDatabase().connect()
        let maker = PartitionMaker(interval: .oneDay, cache: PartitionCache())
        func ensure() throws -> Int {
            try maker.ensure(
                table: FactTable.spans.name, startsNs: [startNs], on: &session.connection,
                deadlineNs: farDeadlineNs)
        }
        #expect(try ensure() == 1)
        let round = RetentionRound(nowUnixNs: laterNs, cache: maker.cache)
        #expect(try round.events(session) == ["dropped \(oldName)"])
        #expect(try ensure() == 1)
    }
}
