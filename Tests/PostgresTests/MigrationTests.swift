// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Foundation
import Synchronization
import Testing

@testable import Postgres

// Goal: a database reaches the schema of the binary, once, or says why it cannot. Method: empty
// databases, with the real migrations and with small ones that are then tampered with.
struct MigrationTests {
    private static let two = [
        Migration(version: 1, name: "one", sql: "CREATE TABLE one (id int);\n"),
        Migration(
            version: 2, name: "two",
            sql: "CREATE TABLE two (id int);\nINSERT INTO two VALUES (7);\n"),
    ]

    private static let advisoryLockCount = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE locktype = 'advisory' AND datname = current_database()
        """

    @Test func embeddedMigrationsAreTheFiles() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../migrations").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(Migration.embedded.map(\.fileName) == names)
        for migration in Migration.embedded {
            let file = folder.appending(path: migration.fileName)
            #expect(try String(contentsOf: file, encoding: .utf8) == migration.sql)
        }
    }

    @Test func migrationsApplyOnceToAnEmptyDatabase() throws {
        let session = try ScratchDatabase(.empty).connect()
        let runner = MigrationRunner()
        #expect(
            try runner.pending(on: &session.connection, deadlineNs: farDeadlineNs)
                == Migration.embedded)
        var applied: [Migration] = []
        let returned = try runner.run(on: &session.connection, deadlineNs: farDeadlineNs) {
            migration, _ in
            applied.append(migration)
        }
        #expect(applied == Migration.embedded && returned == Migration.embedded)
        #expect(try runner.pending(on: &session.connection, deadlineNs: farDeadlineNs).isEmpty)
        #expect(try runner.run(on: &session.connection, deadlineNs: farDeadlineNs).isEmpty)
        let count = try session.integer(
            "SELECT count(*) FROM schema_migrations WHERE length(checksum) = 64")
        #expect(count == Migration.embedded.count)
        #expect(try session.text("SHOW statement_timeout") == "30s")
        #expect(try session.integer(MigrationTests.advisoryLockCount) == 0)
    }

    @Test func everyTableHasAComment() throws {
        let session = try ScratchDatabase().connect()
        let silent = try session.texts(
            """
            SELECT relname::text FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
                AND NOT relispartition
                AND obj_description(oid) IS NULL
            """)
        #expect(silent == [])
    }

    @Test func numbersOfOTLPHaveNames() throws {
        let session = try ScratchDatabase().connect()
        let severities = try session.texts(
            """
            SELECT severity_number || ' ' || severity_text FROM log_severity_numbers
            WHERE severity_number IN (0, 1, 2, 9, 21, 24) ORDER BY severity_number
            """)
        #expect(
            severities == [
                "0 UNSPECIFIED", "1 TRACE", "2 TRACE2", "9 INFO", "21 FATAL", "24 FATAL4",
            ])
        #expect(try session.integer("SELECT count(*) FROM log_severity_numbers") == 25)
        #expect(try session.text("SELECT name FROM span_kinds WHERE kind_id = 2") == "SERVER")
        #expect(
            try session.text("SELECT name FROM metric_types WHERE metric_type_id = 9")
                == "histogram")
    }

    @Test(arguments: FactTable.allCases)
    func everyCopyStatementFitsItsTable(table: FactTable) throws {
        let session = try ScratchDatabase().connect()
        let empty = BinaryRows()
        let source = CopySource(
            statement: TableLayout(table: table).copyStatement, table: table.name,
            chunks: [empty.slice()])
        try session.connection.commit(copies: [source], deadlineNs: farDeadlineNs)
        let columns = try session.texts(
            """
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = '\(table.name)'::regclass AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum
            """)
        #expect(columns == table.columns)
        withExtendedLifetime(empty) {}
    }

    @Test func newMigrationsAreAdded() throws {
        let session = try ScratchDatabase(.empty).connect()
        let first = Array(MigrationTests.two.prefix(1))
        try MigrationRunner(migrations: first).run(
            on: &session.connection, deadlineNs: farDeadlineNs)
        let added = try MigrationRunner(migrations: MigrationTests.two).run(
            on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(added.map(\.version) == [2])
        #expect(try session.integer("SELECT id FROM two") == 7)
    }

    @Test(arguments: [
        (
            "UPDATE schema_migrations SET checksum = 'x' WHERE version = 2",
            MigrationError.changed(file: "0002_two.sql")
        ),
        ("DELETE FROM schema_migrations WHERE version = 1", .gap(version: 1)),
        (
            "INSERT INTO schema_migrations VALUES (3, 'three', 'x', now(), 0)",
            .databaseIsNewer(databaseVersion: 3, binaryVersion: 2)
        ),
    ])
    func historyThatDiffersIsRefused(tampering: String, expected: MigrationError) throws {
        let session = try ScratchDatabase(.empty).connect()
        let runner = MigrationRunner(migrations: MigrationTests.two)
        try runner.run(on: &session.connection, deadlineNs: farDeadlineNs)
        try session.run(tampering)
        #expect(throws: expected) {
            try runner.run(on: &session.connection, deadlineNs: farDeadlineNs)
        }
        #expect(throws: expected) {
            try runner.pending(on: &session.connection, deadlineNs: farDeadlineNs)
        }
        #expect(try session.integer(MigrationTests.advisoryLockCount) == 0)
    }

    @Test func failingMigrationLeavesNothingOfItself() throws {
        let session = try ScratchDatabase(.empty).connect()
        let broken = Migration(
            version: 3, name: "broken", sql: "CREATE TABLE three (id int);\n\nSELECT nope;\n")
        let runner = MigrationRunner(migrations: MigrationTests.two + [broken])
        let error = #expect(throws: MigrationError.self) {
            try runner.run(on: &session.connection, deadlineNs: farDeadlineNs)
        }
        guard case .failed("0003_broken.sql", line: 3, let cause) = error else {
            Issue.record("unexpected \(String(describing: error))")
            return
        }
        #expect(cause.sqlState == "42703")
        #expect(error?.description.hasPrefix("migration 0003_broken.sql line 3: ") == true)
        #expect(try session.integer("SELECT max(version)::int8 FROM schema_migrations") == 2)
        #expect(try session.integer("SELECT count(*) FROM pg_class WHERE relname = 'three'") == 0)
        #expect(session.isUsable && !session.isInTransaction)
    }

    @Test func migrationThatEndsItsTransactionIsRefused() throws {
        let session = try ScratchDatabase(.empty).connect()
        let rogue = Migration(
            version: 1, name: "rogue", sql: "CREATE TABLE x (id int);\nROLLBACK;\n")
        #expect(throws: MigrationError.self) {
            try MigrationRunner(migrations: [rogue]).run(
                on: &session.connection, deadlineNs: farDeadlineNs)
        }
        let pending = try MigrationRunner(migrations: [rogue]).pending(
            on: &session.connection, deadlineNs: farDeadlineNs)
        #expect(pending.count == 1)
    }

    @Test func runnersWaitForOneAnother() throws {
        let database = try ScratchDatabase(.empty)
        let applied = Mutex<[[Int32]]>([])
        let threads = (0..<3).map { _ in
            WorkerThread(name: "migrate") {
                do {
                    let session = try database.connect()
                    let done = try MigrationRunner().run(
                        on: &session.connection, deadlineNs: farDeadlineNs)
                    applied.withLock { $0.append(done.map(\.version)) }
                } catch {
                    Issue.record(error)
                }
            }
        }
        for thread in threads { thread.join() }
        let all = applied.withLock { $0 }
        #expect(all.filter(\.isEmpty).count == 2)
        #expect(all.contains(Migration.embedded.map(\.version)))
    }

    @Test func otherEncodingIsRefused() throws {
        let cluster = ScratchCluster.shared
        let name = "encoding_\(cluster.nextDatabaseNumber())"
        try cluster.connect().run(
            "CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        let session = try cluster.connect(name)
        #expect(
            throws: MigrationError.unsuitableServer(
                "the database has encoding LATIN1; UTF8 is needed")
        ) {
            try MigrationRunner().run(on: &session.connection, deadlineNs: farDeadlineNs)
        }
    }
}
