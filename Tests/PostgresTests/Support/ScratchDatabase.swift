// SPDX-License-Identifier: Apache-2.0
import Base

@testable import Postgres

/// A database for one test on the shared cluster, dropped with its last reference.
final class ScratchDatabase: Sendable {
    enum Content { case empty, migrated }

    let cluster: ScratchCluster
    let name: String

    init(_ content: Content = .migrated, on cluster: ScratchCluster = .shared) throws {
        self.cluster = cluster
        name = "test_\(cluster.nextDatabaseNumber())"
        let template = content == .empty ? "template0" : ScratchCluster.templateName
        try cluster.connect().run("CREATE DATABASE \(name) TEMPLATE \(template)")
    }

    deinit {
        try? cluster.connect().run("DROP DATABASE \(name) WITH (FORCE)")
    }

    var settings: DatabaseSettings { cluster.settings(name) }

    func connect(stop: StopSignal = StopSignal()) throws -> Session {
        try Session(settings, stop: stop, database: self)
    }

    /// The one number that `sql` selects, by a connection of its own.
    func integer(_ sql: String) throws -> Int64 {
        try connect().integer(sql)
    }

    /// Waits until another session of this database is seen in a state that `condition` describes,
    /// which is SQL over pg_stat_activity.
    func waitForSession(where condition: String) throws {
        let observer = try connect()
        try waitUntil("a session where \(condition)") {
            try observer.integer(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND \(condition)
                """) > 0
        }
    }
}

extension ScratchCluster {
    static let templateName = "migrated_template"

    /// A database with every migration applied, for the others to be copied from.
    func makeTemplate() throws {
        try connect().run("CREATE DATABASE \(ScratchCluster.templateName)")
        let session = try connect(ScratchCluster.templateName)
        try MigrationRunner().run(on: &session.connection, deadlineNs: farDeadlineNs)
    }
}
