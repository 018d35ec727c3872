// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLibPQ

extension PGConnection {
    /// Opens a transaction. Sends nothing: BEGIN goes out with the first statement.
    package mutating func begin() {
        precondition(transaction == .none, "a transaction is open")
        transaction = .beginPending
        copiedRowCount = 0
    }

    /// Commits what was done since `begin()`.
    ///
    /// Errors: with `commitOutcomeUnknown` when the answer to COMMIT never came. Every other error
    /// means that nothing was committed.
    package mutating func commit(deadlineNs: UInt64) throws(DatabaseError) {
        precondition(transaction != .none, "no transaction is open")
        guard transaction == .open else {
            transaction = .none
            return
        }
        do throws(DatabaseError) {
            try sendSimple("COMMIT", deadlineNs: deadlineNs)
            let result = try finishCommand(deadlineNs: deadlineNs)
            transaction = .none
            try checkCommitted(result)
        } catch {
            transaction = .none
            throw error.duringCommit()
        }
    }

    /// Undoes what was done since `begin()`. A connection that cannot be asked to is marked lost,
    /// which undoes it as well. Does nothing outside a transaction.
    package mutating func rollback(deadlineNs: UInt64) {
        let wasOpen = transaction == .open
        transaction = .none
        guard wasOpen, !isLost else { return }
        do throws(DatabaseError) {
            try execute("ROLLBACK", deadlineNs: deadlineNs)
        } catch {
            abandon()
        }
    }

    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    package mutating func withTransaction<Value>(
        deadlineNs: UInt64, _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value {
        begin()
        do throws(DatabaseError) {
            let value = try body(&self)
            try commit(deadlineNs: deadlineNs)
            return value
        } catch {
            rollback(deadlineNs: max(deadlineNs, Deadline.inMs(PGConnection.rollbackTimeoutMs)))
            throw error
        }
    }

    /// What a ROLLBACK may take, even when the work before it used up its own deadline.
    static let rollbackTimeoutMs = 5_000

    /// COMMIT of a failed transaction succeeds, as a ROLLBACK, and says so in its tag only.
    func checkCommitted(_ result: consuming QueryResult?) throws(DatabaseError) {
        let tag = result?.commandTag ?? ""
        guard tag == "COMMIT" else {
            throw DatabaseError(
                .rejectedByServer, .transient, message: "the server answered \(tag) to COMMIT")
        }
    }
}
