// SPDX-License-Identifier: Apache-2.0
internal import Base

extension PGConnection {
    /// A transaction whose statements the server ends after `ServiceEdgeLimits.minuteTimeoutMs`
    /// each, so that one minute or hour does not use up the time of the others.
    mutating func withMinuteTransaction<Value>(
        deadlineNs: UInt64, _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value {
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            try connection.execute(
                "SET LOCAL statement_timeout = \(ServiceEdgeLimits.minuteTimeoutMs)",
                deadlineNs: deadlineNs)
            return try body(&connection)
        }
    }
}
