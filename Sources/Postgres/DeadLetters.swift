// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Copy

extension PGConnection {
    /// Numbers for the next `count` dead letters, ascending. At most a few thousand at a time.
    package mutating func reserveDeadLetterIDs(
        count: Int, deadlineNs: UInt64
    ) throws(DatabaseError) -> [Int64] {
        var parameters = QueryParameters()
        parameters.append(Int64(count))
        let result = try query(
            "SELECT nextval('otel_dead_letter_id_seq') FROM generate_series(1, $1)", parameters,
            deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { result.integer(row: $0, column: 0) }
    }
}

/// The dead letters of one export.
package struct KeptLetters {
    package let fingerprint: Fingerprint
    package let count: Int
    package let firstID: Int64
    package let firstMessage: String
}

extension PGConnection {
    /// The dead letters of `fingerprints`, of those that have any.
    ///
    /// Cost: a look into an index; for a retry of what this daemon has not committed itself.
    package mutating func keptLetters(
        of fingerprints: some Sequence<Fingerprint>, deadlineNs: UInt64
    ) throws(DatabaseError) -> [KeptLetters] {
        var array = ArrayParameter(.bytea)
        for fingerprint in fingerprints { array.append(fingerprint.bytes) }
        var parameters = QueryParameters()
        parameters.append(array)
        let result = try query(
            """
            SELECT request_fingerprint, count(*), min(dead_letter_id),
                (array_agg(message ORDER BY dead_letter_id))[1]
            FROM otel_dead_letters WHERE request_fingerprint = ANY ($1) GROUP BY 1
            """, parameters, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { row in
            guard let fingerprint = Fingerprint(result.bytes(row: row, column: 0)),
                let count = result.integer(row: row, column: 1),
                let firstID = result.integer(row: row, column: 2)
            else { return nil }
            return KeptLetters(
                fingerprint: fingerprint, count: Int(count), firstID: firstID,
                firstMessage: result.string(row: row, column: 3))
        }
    }
}

extension DatabaseError {
    /// The server answered, but not with what can be.
    package static func unexpected(_ message: String) -> DatabaseError {
        DatabaseError(.unexpectedAnswer, .fatal, message: message)
    }

    /// The same error, met while something of ours was written: the content that a client sent is
    /// not what was refused, so it must not be taken for poison.
    package var asOurs: DatabaseError {
        switch disposition {
        case .rejectedRow, .rejectedContent, .missingPartition, .missingColumn:
            DatabaseError(code, .fatal, sqlState: sqlState, message: message)
        default: self
        }
    }
}

// Parts of a transaction that may have poison in it.
extension PGConnection {
    private static let savepoint = "starling_rows"

    /// Has constraints that are checked at COMMIT checked by each statement, so that it can be
    /// found which rows break them.
    package mutating func checkConstraintsAtOnce(deadlineNs: UInt64) throws(DatabaseError) {
        try execute("SET CONSTRAINTS ALL IMMEDIATE", deadlineNs: deadlineNs)
    }

    /// Writes one stream in the open transaction, so that an error undoes no more than that, and
    /// notes what it is of.
    ///
    /// Errors: as `copyIn`; the transaction can go on after `.rejectedRow` and `.rejectedContent`.
    package mutating func copyInSavepoint(
        _ source: CopySource, noting batches: [RowBatch] = [], deadlineNs: UInt64
    ) throws(DatabaseError) {
        let name = PGConnection.savepoint
        try execute("SAVEPOINT \(name)", deadlineNs: deadlineNs)
        do throws(DatabaseError) {
            try copyIn(
                source.statement, table: source.table, chunks: source.chunks,
                deadlineNs: deadlineNs)
        } catch {
            switch error.disposition {
            case .rejectedRow, .rejectedContent:
                try execute(
                    "ROLLBACK TO SAVEPOINT \(name); RELEASE SAVEPOINT \(name)",
                    deadlineNs: deadlineNs)
            default: break
            }
            throw error
        }
        try write(batches, deadlineNs: deadlineNs)
        try execute("RELEASE SAVEPOINT \(name)", deadlineNs: deadlineNs)
    }

    /// Rolls back, even when the deadline of the work has passed.
    package mutating func giveUpTransaction() {
        rollback(deadlineNs: Deadline.inMs(PGConnection.rollbackTimeoutMs))
    }
}
