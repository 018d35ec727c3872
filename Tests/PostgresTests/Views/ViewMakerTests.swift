// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Postgres

// Goal: the views are made once, follow the registry, and never without regard for who reads them.
// Method: databases of their own, with a session that holds a view open.
struct ViewMakerTests {
    private static let comments = """
        SELECT count(*) FROM pg_class
        WHERE relkind = 'v' AND obj_description(oid, 'pg_class') LIKE '%[definition %'
        """

    private static func refresh(
        _ session: Session, deadlineNs: UInt64? = nil
    ) throws -> [String] {
        try ViewMaker.refresh(
            on: &session.connection, deadlineNs: deadlineNs ?? farDeadlineNs)
    }

    private static func promote(_ session: Session) throws {
        try session.run(
            """
            ALTER TABLE otel_logs_fact ADD COLUMN mine bigint;
            INSERT INTO otel_attribute_columns (signal, key, type, column_name)
            VALUES ('logs', 'my.key', 'int', 'mine')
            """)
    }

    @Test func everythingIsMadeOnce() throws {
        let session = try ScratchDatabase().connect()
        let wanted = ViewCatalogue.definitions(promoted: [])
        let outdated = try ViewMaker.outdated(
            on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(outdated == wanted.map(\.name))
        #expect(try ViewMakerTests.refresh(session) == wanted.map(\.name))
        #expect(try ViewMakerTests.refresh(session) == [])
        #expect(
            try session.integer(ViewMakerTests.comments)
                == wanted.count { $0.kind == .view })
        #expect(!session.isInTransaction)
    }

    @Test func aPromotionChangesThreeViewsAndRegistersItsKey() throws {
        let session = try ScratchDatabase().connect()
        _ = try ViewMakerTests.refresh(session)
        try ViewMakerTests.promote(session)
        #expect(try ViewMakerTests.refresh(session).count == 3)
        #expect(
            try session.integer("SELECT count(*) FROM attribute_keys WHERE key = 'my.key'") == 1)
        try session.run("DELETE FROM otel_attribute_columns")
        #expect(try ViewMakerTests.refresh(session).count == 3)
    }

    @Test func aViewThatIsHeldOpenIsLeftAsItIs() throws {
        let database = try ScratchDatabase()
        let session = try database.connect()
        _ = try ViewMakerTests.refresh(session)
        try ViewMakerTests.promote(session)
        let reader = try database.connect()
        try reader.run("BEGIN; SELECT FROM otel_log_attrs_int")
        let error = #expect(throws: DatabaseError.self) {
            _ = try ViewMakerTests.refresh(session, deadlineNs: Deadline.inMs(500))
        }
        // The lock timeout, or our own deadline amid a statement.
        #expect(error?.disposition == .transient || error?.code == .timedOut)
        try reader.run("SELECT FROM otel_log_attrs_int; COMMIT")
        let other = try database.connect()
        #expect(try ViewMakerTests.refresh(other).count == 3)
    }

    @Test func stoppingEndsTheWait() throws {
        let database = try ScratchDatabase()
        let stop = StopSignal()
        let session = try database.connect(stop: stop)
        _ = try ViewMakerTests.refresh(session)
        try ViewMakerTests.promote(session)
        let reader = try database.connect()
        try reader.run("BEGIN; SELECT FROM otel_log_attrs_int")
        let stopper = WorkerThread(name: "stopper") {
            #expect(throws: Never.self) {
                try database.waitForSession(where: "wait_event_type = 'Lock'")
            }
            stop.fire()
        }
        let error = #expect(throws: DatabaseError.self) {
            _ = try ViewMakerTests.refresh(session)
        }
        stopper.join()
        #expect(error?.disposition == .stopped)
    }

    @Test func aSchemaThatIsOursAlreadyIsUsed() throws {
        let session = try ScratchDatabase().connect()
        try session.run("CREATE SCHEMA grafana; CREATE TABLE grafana.mine ()")
        #expect(try ViewMakerTests.refresh(session).contains("grafana.spans"))
        let comment = try session.text(
            "SELECT obj_description('grafana'::regnamespace, 'pg_namespace')")
        #expect(comment.contains(ViewDefinition.markPrefix))
        #expect(try session.integer("SELECT count(*) FROM grafana.mine") == 0)
    }

    @Test func nobodyElsesViewIsReplaced() throws {
        let session = try ScratchDatabase().connect()
        try session.run("CREATE VIEW otel_span_events AS SELECT 'mine'::text AS mine")
        let error = #expect(throws: DatabaseError.self) {
            _ = try ViewMakerTests.refresh(session)
        }
        #expect(error?.message.hasPrefix("otel_span_events: ") == true)
        #expect(try session.text("SELECT mine FROM otel_span_events") == "mine")
        #expect(try session.integer(ViewMakerTests.comments) == 0)
    }
}
