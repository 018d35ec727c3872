// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Testing

@testable import Postgres

private let hourNs = PartitionName.hourNs
private let dayNs = PartitionName.dayNs
/// 2026-11-21T00:00:00Z
private let startNs: Int64 = 20_778 * dayNs

// Goal: partitions whose time is over get their late index, once, and after any crash.
// Method: partitions with rows; an index whose making was cut short; queries that use them.
struct PartitionCloserTests {
    private func close(_ session: Session, at nowNs: Int64) throws -> [String] {
        var built: [String] = []
        let closer = PartitionCloser(nowUnixNs: nowNs, afterNs: hourNs)
        let isDone = try closer.run(on: &session.connection) {
            built.append("\($0.partition.name) \($0.index.method)")
        }
        #expect(isDone)
        return built
    }

    @Test func closesAnHourAfterTheEnd() throws {
        let session = try ScratchDatabase().connect()
        try session.makePartitions([startNs, startNs + dayNs, startNs + 2 * dayNs])
        let endNs = startNs + dayNs
        #expect(try close(session, at: endNs + hourNs - 1) == [])
        let first = "otel_spans_fact_p20261121"
        #expect(try close(session, at: endNs + hourNs) == ["\(first) gin"])
        #expect(try close(session, at: endNs + hourNs) == [])
        #expect(
            try session.states() == [
                "\(first) closed", "otel_spans_fact_p20261122 live",
                "otel_spans_fact_p20261123 live",
            ])
        // Newest first.
        let rest = try close(session, at: startNs + 4 * dayNs)
        #expect(rest.map { $0.suffix(7) } == ["123 gin", "122 gin"])
        #expect(try session.maintenanceActions().count == 3)
        #expect(
            try session.maintenanceActions()[0]
                == "build_index \(first) USING gin (attributes jsonb_path_ops) "
                + "WITH (fastupdate = off)")
    }

    @Test func everyTableHasItsOwn() throws {
        let session = try ScratchDatabase().connect()
        for table in FactTable.allCases { try session.makePartitions([startNs], of: table) }
        let built = try close(session, at: startNs + 3 * dayNs)
        #expect(built.count == 6)
        for table in FactTable.allCases {
            let name = "\(table.name)_p20261121"
            let hasAttributes = table == .spans || table == .logs
            #expect(built.contains("\(name) \(hasAttributes ? "gin" : "brin")"))
            #expect(try session.states(table) == ["\(name) closed"])
        }
    }

    @Test func queriesUseIt() throws {
        let session = try ScratchDatabase().connect()
        try session.makePartitions([startNs])
        try session.insertSpans(20_000, at: startNs)
        _ = try close(session, at: startNs + 3 * dayNs)
        try session.run("ANALYZE otel_spans_fact; SET enable_seqscan = off")
        func plan(_ condition: String) throws -> String {
            try session.texts(
                "EXPLAIN SELECT count(*) FROM otel_spans_fact WHERE \(condition)"
            ).joined(separator: "\n")
        }
        #expect(try plan("attributes @> '{\"n\": 77}'").contains("attributes_idx"))
        // Rows that come late are found at once.
        try session.insertSpans(1, at: startNs + 90_000)
        let found = try session.integer(
            "SELECT count(*) FROM otel_spans_fact WHERE attributes @> '{\"n\": 0}'")
        #expect(found == 2)
    }

    /// What a crash in the middle of CREATE INDEX CONCURRENTLY leaves: an index that is not valid.
    @Test func invalidIndexIsBuiltAnew() throws {
        let database = try ScratchDatabase()
        let session = try database.connect()
        try session.makePartitions([startNs])
        try session.insertSpans(at: startNs)
        let holder = try database.connect()
        holder.connection.begin()
        try holder.insertSpans(at: startNs + 100)
        try session.run("SET lock_timeout = 1")
        #expect(throws: DatabaseError.self) {
            try session.run(
                """
                CREATE INDEX CONCURRENTLY ON otel_spans_fact_p20261121
                    USING gin (attributes jsonb_path_ops)
                """)
        }
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
        #expect(try session.integer(invalid) == 1)
        let name = "otel_spans_fact_p20261121"
        #expect(try close(session, at: startNs + 3 * dayNs) == ["\(name) gin"])
        #expect(try session.integer(invalid) == 0)
        #expect(try session.states() == ["\(name) closed"])
        let actions = try session.maintenanceActions().map { $0.prefix(11) }
        #expect(actions == ["drop_index ", "build_index"])
    }

    /// A transaction that has written the partition delays the index, and nothing else.
    @Test func nobodyWaitsForTheIndex() throws {
        let database = try ScratchDatabase()
        let session = try database.connect()
        try session.makePartitions([startNs])
        let holder = try database.connect()
        holder.connection.begin()
        try holder.insertSpans(at: startNs)
        let thread = WorkerThread(name: "closer") {
            do {
                _ = try close(database.connect(), at: startNs + 3 * dayNs)
            } catch {
                Issue.record(error)
            }
        }
        try database.waitForSession(
            where: "wait_event = 'virtualxid' AND query LIKE 'CREATE INDEX%'")
        try session.run("SET lock_timeout = 1")
        try session.insertSpans(at: startNs + 1)
        #expect(try session.integer("SELECT count(*) FROM otel_spans_fact") == 1)
        // A second daemon leaves it alone.
        let other = PartitionCloser(nowUnixNs: startNs + 3 * dayNs, afterNs: 0)
        let isDone = try other.run(on: &session.connection) { _ in }
        #expect(!isDone)
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        thread.join()
        #expect(try session.states() == ["otel_spans_fact_p20261121 closed"])
    }

    @Test func whatExpiresIsNotWorthAnIndex() throws {
        let session = try ScratchDatabase().connect()
        try session.makePartitions([startNs])
        #expect(try close(session, at: startNs + 31 * dayNs) == [])
    }
}
