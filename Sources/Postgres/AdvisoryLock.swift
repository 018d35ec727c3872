// SPDX-License-Identifier: Apache-2.0

internal import Base

/// Everything that one session at a time does, in whichever daemon. One list, so that no two uses
/// have the same number.
enum AdvisoryLock: Int32 {
    case partitions = 1
    case migrations = 2
    case retention = 3
    case closing = 4
    case serviceMap = 5
    case views = 10
    case attributeColumns = 11

    /// The first half of every key of ours.
    static let group: Int32 = 0x5374_6172  // "Star"

    /// The arguments of PostgreSQL's functions.
    var key: String { "(\(AdvisoryLock.group), \(rawValue))" }
}

extension PGConnection {
    /// Runs `body` while it has the lock; nil, without running it, if another session has it.
    ///
    /// Never waits. CREATE INDEX CONCURRENTLY and DETACH wait for all who wait in a statement, and
    /// so for one who would wait here for their end. And where every daemon waits in line for a
    /// table that is in use, their turns leave those who use it no time.
    mutating func alone<Value>(
        _ lock: AdvisoryLock, deadlineNs: UInt64,
        _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        let result = try query("SELECT pg_try_advisory_lock\(lock.key)", deadlineNs: deadlineNs)
        guard result.bool(row: 0, column: 0) == true else { return nil }
        let value: Result<Value, DatabaseError>
        do throws(DatabaseError) {
            value = .success(try body(&self))
        } catch {
            value = .failure(error)
        }
        if isUsable {
            try execute(
                "SELECT pg_advisory_unlock\(lock.key)",
                deadlineNs: max(deadlineNs, Deadline.inMs(PGConnection.rollbackTimeoutMs)))
        }
        return try value.get()
    }
}
