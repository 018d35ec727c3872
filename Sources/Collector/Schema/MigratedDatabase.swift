// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Short sessions of verbs with a database whose migrations are all applied.
///
/// Thread: any. Blocks on the database. Errors: `databaseUnreachable`, `schemaNotCurrent`,
/// `failed`.
struct MigratedDatabase {
    let settings: DatabaseSettings

    func withConnection<Value>(
        _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DaemonError) -> Value {
        var connection = try connect()
        do throws(DatabaseError) {
            return try body(&connection)
        } catch {
            throw DaemonError(error, settings)
        }
    }

    func connect() throws(DaemonError) -> PGConnection {
        var connection: PGConnection
        do throws(DatabaseError) {
            connection = try PGConnection.connect(settings, stop: StopSignal())
        } catch {
            throw DaemonError(error, settings)
        }
        let pendingCount: Int
        do throws(MigrationError) {
            pendingCount = try MigrationRunner().pending(
                on: &connection, deadlineNs: settings.statementDeadlineNs
            ).count
        } catch {
            throw DaemonError(error, settings)
        }
        guard pendingCount == 0 else {
            throw DaemonError(
                .schemaNotCurrent, "\(pendingCount) migrations are pending; run `starling migrate`")
        }
        return connection
    }
}
