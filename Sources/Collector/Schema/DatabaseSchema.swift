// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Postgres
internal import Rows

/// The schema of the configured database: whether it is what this version needs, and making it so.
///
/// Thread: any. Blocks on the database.
package struct DatabaseSchema {
    /// One migration.
    package struct Step: Sendable, Equatable {
        /// The name of its file, for example `0002_dimensions.sql`.
        package let name: String

        init(_ migration: Migration) { name = migration.fileName }
    }

    /// A column for one attribute.
    package struct AttributeColumn: Sendable, Equatable {
        /// The fact table, for example `otel_spans_fact`.
        package let table: String
        package let key: String
        /// The type of values that it takes, for example `string`.
        package let type: String

        init(_ wanted: WantedColumn) {
            table = wanted.signal.table.name
            key = wanted.key
            type = wanted.type.rawValue
        }
    }

    /// What a look at the database shows.
    package struct Status: Sendable {
        /// For example `15.20`.
        package let serverVersion: String
        /// What `migrate` would apply, in order.
        package let pending: [Step]
        /// Columns that it would add for attributes.
        package let pendingColumns: [AttributeColumn]
        /// The views and functions that `migrate` would make, change or remove. The data path needs
        /// none of them.
        package let outdatedViews: [String]

        /// How many columns are pending, by fact table; without those that lack none.
        package var pendingColumnCounts: [(table: String, count: Int)] {
            PromotedSignal.allCases.compactMap { signal in
                let table = signal.table.name
                let count = pendingColumns.count { $0.table == table }
                return count == 0 ? nil : (table, count)
            }
        }
    }

    private let settings: DatabaseSettings
    private let rules: AttributeRules
    private let runner = MigrationRunner()

    /// How long a look may take.
    private static let statusTimeoutMs = 30_000
    /// How long migrations may take, with waiting for other runners of them.
    private static let migrationTimeoutMs = 24 * 3_600_000
    /// How long to wait for the moment in which no writer holds a fact table.
    private static let columnsTimeoutMs = 10 * 60_000
    /// How long to wait for readers that hold a view open which is to be replaced.
    private static let viewsTimeoutMs = 60_000

    package init(_ configuration: Configuration) {
        settings = DatabaseSettings(configuration)
        rules = configuration.attributes.rules
    }

    /// Connects and looks. Changes nothing.
    package func status() throws(DaemonError) -> Status {
        let deadlineNs = Deadline.inMs(DatabaseSchema.statusTimeoutMs)
        do throws(MigrationError) {
            var connection = try connect()
            let pending = try runner.pending(on: &connection, deadlineNs: deadlineNs)
            let columns = try database { () throws(DatabaseError) in
                try PromotionColumns.pending(
                    rules.wantedColumns, on: &connection, deadlineNs: deadlineNs)
            }
            let views = try outdatedViews(on: &connection, deadlineNs: deadlineNs)
            return Status(
                serverVersion: DatabaseSchema.text(serverVersion: connection.serverVersion),
                pending: pending.map(Step.init),
                pendingColumns: columns.map(AttributeColumn.init), outdatedViews: views)
        } catch {
            throw DaemonError(error, settings)
        }
    }

    /// Applies what is pending, each migration in a transaction of its own, and returns it. Then
    /// adds columns for attributes, and makes the views current.
    ///
    /// `applied` is told after each, with the time it took; `columnsAdded` is told their names,
    /// unless there are none; `viewsChanged` is told how many views and functions were made,
    /// changed or removed, unless none was. After an error what was done before it stays.
    @discardableResult
    package func migrate(
        applied: (Step, _ durationMs: Int64) -> Void,
        columnsAdded: (_ table: String, [String]) -> Void = { _, _ in },
        viewsChanged: (Int) -> Void = { _ in }
    ) throws(DaemonError) -> [Step] {
        let deadlineNs = Deadline.inMs(DatabaseSchema.migrationTimeoutMs)
        do throws(MigrationError) {
            var connection = try connect()
            let done = try runner.run(on: &connection, deadlineNs: deadlineNs) {
                applied(Step($0), $1)
            }
            for (table, names) in try addColumns(on: &connection) { columnsAdded(table, names) }
            let changedCount = try refreshViews(on: &connection)
            if changedCount > 0 { viewsChanged(changedCount) }
            return done.map(Step.init)
        } catch {
            throw DaemonError(error, settings)
        }
    }

    private func addColumns(
        on connection: inout PGConnection
    ) throws(MigrationError) -> [(table: String, names: [String])] {
        let deadlineNs = Deadline.inMs(DatabaseSchema.columnsTimeoutMs)
        let added = try database { () throws(DatabaseError) in
            try PromotionColumns.ensure(
                rules.wantedColumns, on: &connection, deadlineNs: deadlineNs)
        }
        return PromotedSignal.allCases.compactMap { signal in
            let names = added.filter { $0.signal == signal }.map(\.column.name)
            return names.isEmpty ? nil : (signal.table.name, names)
        }
    }

    private func outdatedViews(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(MigrationError) -> [String] {
        do throws(DatabaseError) {
            return try ViewMaker.outdated(on: &connection, deadlineNs: deadlineNs)
        } catch {
            throw .database(error)
        }
    }

    private func refreshViews(on connection: inout PGConnection) throws(MigrationError) -> Int {
        let deadlineNs = Deadline.inMs(DatabaseSchema.viewsTimeoutMs)
        do throws(DatabaseError) {
            return try ViewMaker.refresh(on: &connection, deadlineNs: deadlineNs).count
        } catch {
            throw .database(error)
        }
    }

    private func database<Value>(
        _ body: () throws(DatabaseError) -> Value
    ) throws(MigrationError) -> Value {
        do throws(DatabaseError) { return try body() } catch { throw .database(error) }
    }

    private func connect() throws(MigrationError) -> PGConnection {
        do throws(DatabaseError) {
            return try PGConnection.connect(settings, stop: StopSignal())
        } catch {
            throw .database(error)
        }
    }

    /// `15.20` of libpq's 150020.
    static func text(serverVersion: Int) -> String {
        "\(serverVersion / 10_000).\(serverVersion % 10_000)"
    }
}

extension DaemonError {
    init(_ error: MigrationError, _ settings: DatabaseSettings) {
        switch error {
        case .database(let error): self.init(error, settings)
        case .failed(_, _, let fault) where fault.disposition == .reconnect:
            self.init(
                .databaseUnreachable,
                "\(error); the migration left nothing behind, run `starling migrate` again")
        case .failed:
            self.init(.failed, "\(error); the migration left nothing behind")
        case .changed:
            self.init(
                .schemaNotCurrent,
                "\(error); use the version of starling that applied it, or restore the file")
        case .gap:
            self.init(.schemaNotCurrent, "\(error); restore schema_migrations from a backup")
        case .databaseIsNewer, .unsuitableServer:
            self.init(.schemaNotCurrent, "\(error)")
        }
    }
}
