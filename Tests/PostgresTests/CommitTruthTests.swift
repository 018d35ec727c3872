// SPDX-License-Identifier: Apache-2.0
import Base
import Synchronization
import Testing

@testable import Postgres

// Goal: whatever happens to the session, what a commit reports is what the database holds: all,
// nothing, or "unknown", and never a part. Method: batches over two tables, while the backend is
// terminated again and again at moments of nobody's choosing; afterwards the tables are compared
// with the reports.
struct CommitTruthTests {
    private enum Report { case committed, failed, unknown }

    private static let batchCount: Int64 = 300
    private static let rowCount = 200

    @Test func reportsAreTrue() throws {
        let database = try ScratchDatabase(.empty)
        try database.connect().run("CREATE TABLE a (batch bigint); CREATE TABLE b (batch bigint)")
        let isOver = Atomic<Bool>(false)
        let killer = WorkerThread(name: "killer") {
            guard let session = try? database.connect() else { return }
            while !isOver.load(ordering: .relaxed) {
                _ = try? session.integer(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE application_name = 'victim' AND datname = current_database()
                        AND random() < 0.1
                    """)
            }
        }
        var reports: [Report] = []
        var session: Session?
        for batch in 0..<CommitTruthTests.batchCount {
            reports.append(try commit(batch, to: database, &session))
        }
        isOver.store(true, ordering: .relaxed)
        killer.join()
        let reader = try database.connect()
        for (batch, report) in reports.enumerated() {
            let a = try reader.integer("SELECT count(*) FROM a WHERE batch = \(batch)")
            let b = try reader.integer("SELECT count(*) FROM b WHERE batch = \(batch)")
            let isWhole = a == CommitTruthTests.rowCount && b == CommitTruthTests.rowCount
            let isAbsent = a == 0 && b == 0
            switch report {
            case .committed: #expect(isWhole, "batch \(batch)")
            case .failed: #expect(isAbsent, "batch \(batch)")
            case .unknown: #expect(isWhole || isAbsent, "batch \(batch)")
            }
        }
        #expect(reports.contains(.committed))
    }

    private func commit(
        _ batch: Int64, to database: ScratchDatabase, _ session: inout Session?
    ) throws -> Report {
        let rows = [BinaryRows(), BinaryRows()]
        for table in rows {
            for _ in 0..<CommitTruthTests.rowCount { table.append([BinaryRows.int8(batch)]) }
        }
        let sources = zip(rows, ["a", "b"]).map { $0.source(table: $1, columns: "batch") }
        defer { withExtendedLifetime(rows) {} }
        while session?.isUsable != true {
            var settings = database.settings
            settings.applicationName = "victim"
            do {
                session = try Session(settings)
            } catch let error as DatabaseError {
                #expect(error.disposition == .reconnect)
            }
        }
        do throws(DatabaseError) {
            try session?.connection.commit(copies: sources, deadlineNs: farDeadlineNs)
            return .committed
        } catch {
            #expect(error.disposition == .reconnect)
            return error.commitOutcomeUnknown ? .unknown : .failed
        }
    }
}
