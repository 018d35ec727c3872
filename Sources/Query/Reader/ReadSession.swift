// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Postgres

/// One session with the database, lent to whoever answers a question, for as long as that takes.
///
/// It cannot write: the session is read-only. Thread: the reader's.
package struct ReadSession: ~Copyable {
    private var connection: PGConnection
    private let settings: DatabaseSettings
    private let writable: DatabaseSettings
    private var interruption: StopSignal?
    private var known: (catalogue: FieldCatalogue, readAtNs: UInt64)?

    /// Nanoseconds of telemetry that one question may cover.
    package let rangeNsMax: Int64

    /// Opens it. Blocks for at most `database.connect_timeout`.
    init(_ settings: ReaderSettings, stop: StopSignal) throws(QueryFailure) {
        connection = try ReadSession.connected(settings.database, stop: stop)
        self.settings = settings.database
        writable = settings.writable
        rangeNsMax = settings.rangeNsMax
    }

    // Compiling a plan over many partitions takes longer than running it.
    private static let setUp = """
        SET default_transaction_read_only = on; SET jit = off; SET TimeZone = 'UTC'
        """

    private static func connected(
        _ settings: DatabaseSettings, stop: StopSignal
    ) throws(QueryFailure) -> PGConnection {
        do throws(DatabaseError) {
            var connection = try PGConnection.connect(settings, stop: stop)
            try connection.execute(setUp, deadlineNs: settings.statementDeadlineNs)
            return connection
        } catch {
            throw QueryFailure(error, isInterrupted: false)
        }
    }

    /// Whether it can answer another question; no round trip.
    mutating func isAlive() -> Bool { connection.checkIdle() }

    /// Lends the session to `body`, whose statements are cancelled once `signal` is fired.
    mutating func lend<Value>(
        until signal: StopSignal, _ body: (inout ReadSession) throws(QueryFailure) -> Value
    ) -> Result<Value, QueryFailure> {
        interruption = signal
        defer { interruption = nil }
        do throws(QueryFailure) {
            return .success(try body(&self))
        } catch {
            return .failure(error)
        }
    }

    /// As below, of a statement that was made together with its parameters.
    @discardableResult
    package mutating func query(_ statement: SQLStatement) throws(QueryFailure) -> QueryResult {
        try query(statement.text, statement.parameters)
    }

    /// Which attributes have columns, as it was at most five seconds ago.
    package mutating func fieldCatalogue() throws(QueryFailure) -> FieldCatalogue {
        let nowNs = Clock.monotonicNs
        if let known, nowNs - known.readAtNs < ReadSession.catalogueAgeNsMax {
            return known.catalogue
        }
        let catalogue = FieldCatalogue(
            PromotedAttribute.all(in: try query(PromotedAttribute.listQuery)))
        known = (catalogue, nowNs)
        return catalogue
    }

    /// The same, as it is now: for who misses values without the newest column.
    mutating func newFieldCatalogue() throws(QueryFailure) -> FieldCatalogue {
        known = nil
        return try fieldCatalogue()
    }

    private static let catalogueAgeNsMax: UInt64 = 5_000_000_000

    /// Lets `body` ask with the connection itself, whose statements are cancelled as all others.
    package mutating func withConnection<Value: ~Copyable>(
        _ body: (inout PGConnection, _ deadlineNs: UInt64) throws(DatabaseError) -> Value
    ) throws(QueryFailure) -> Value {
        guard let interruption else { preconditionFailure("the session is lent to nobody") }
        do throws(DatabaseError) {
            let deadlineNs = settings.statementDeadlineNs
            return try connection.interruptible(by: interruption) {
                (connection) throws(DatabaseError) in
                try body(&connection, deadlineNs)
            }
        } catch {
            throw QueryFailure(error, isInterrupted: interruption.isFired)
        }
    }

    /// Lets `body` see the database as it is at its first query, for as long as it takes: all in
    /// one transaction, which is undone in any case.
    mutating func withSnapshot<Value: ~Copyable>(
        _ body: (inout ReadSession) throws(QueryFailure) -> Value
    ) throws(QueryFailure) -> Value {
        connection.begin()
        // What interrupts `body` does not interrupt this.
        defer { connection.rollback(deadlineNs: settings.statementDeadlineNs) }
        try withConnection { (connection, deadlineNs) throws(DatabaseError) in
            try connection.execute(ReadSession.snapshotSetUp, deadlineNs: deadlineNs)
        }
        return try body(&self)
    }

    // All rows of a cursor will be read, not the first few.
    private static let snapshotSetUp = """
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SET LOCAL cursor_tuple_fraction = 1
        """

    /// Lets `body` change something, over a connection of its own for as long as that takes. It is
    /// not cancelled when whoever asked leaves.
    package func withWritableConnection<Value>(
        _ body: (inout PGConnection, _ deadlineNs: UInt64) throws(DatabaseError) -> Value
    ) throws(QueryFailure) -> Value {
        do throws(DatabaseError) {
            var connection = try PGConnection.connect(writable, stop: StopSignal())
            return try body(&connection, writable.statementDeadlineNs)
        } catch {
            throw QueryFailure(error, isInterrupted: false)
        }
    }

    /// Runs one statement and returns its rows, in binary. Values go in as parameters, never in
    /// the text.
    @discardableResult
    package mutating func query(
        _ sql: String, _ parameters: QueryParameters = QueryParameters()
    ) throws(QueryFailure) -> QueryResult {
        try withConnection { (connection, deadlineNs) throws(DatabaseError) in
            try connection.query(sql, parameters, deadlineNs: deadlineNs)
        }
    }
}
