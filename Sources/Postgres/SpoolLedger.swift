// SPDX-License-Identifier: Apache-2.0
package import Base

/// Where an export stood in a spool on disk before it was sent.
package struct SpoolPlace: Sendable, Equatable {
    /// The spool's name, 16 bytes.
    package let spoolID: [UInt8]
    package let recordNumber: UInt64
    /// When the export arrived: a first attempt, if there was one, was noted about then.
    package let arrivalUnixNs: UInt64

    package init(spoolID: [UInt8], recordNumber: UInt64, arrivalUnixNs: UInt64) {
        self.spoolID = spoolID
        self.recordNumber = recordNumber
        self.arrivalUnixNs = arrivalUnixNs
    }
}

/// What a transaction notes of one export, so that neither a retry nor a replay stores it again.
package struct ExportNote: Sendable, Equatable {
    package let fingerprint: Fingerprint
    /// Nil for an export that comes from a client.
    package let place: SpoolPlace?

    package init(_ fingerprint: Fingerprint, place: SpoolPlace? = nil) {
        self.fingerprint = fingerprint
        self.place = place
    }
}

extension PGConnection {
    /// Writes the marks of those of `notes` that come from a spool, in the open transaction;
    /// returns the fingerprints of those that had one.
    ///
    /// Costs one round trip if there is any.
    mutating func mark(
        _ notes: [ExportNote], deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Fingerprint> {
        let spooled = notes.filter { $0.place != nil }
        guard let spoolID = spooled.first?.place?.spoolID else { return [] }
        var numbers = ArrayParameter(.int8)
        for case let place? in spooled.map(\.place) {
            precondition(place.spoolID == spoolID, "a daemon has one spool")
            numbers.append(Int64(bitPattern: place.recordNumber))
        }
        var parameters = QueryParameters()
        parameters.append(bytea: spoolID)
        parameters.append(numbers)
        let result = try query(
            """
            WITH \(LockWait.bounded), written AS (
                INSERT INTO otel_spool_marks (spool_id, record_number)
                SELECT $1, number FROM lock_wait CROSS JOIN unnest($2) AS number ORDER BY number
                ON CONFLICT DO NOTHING
                RETURNING record_number
            )
            SELECT record_number FROM written \(LockWait.asUsual)
            """, parameters, deadlineNs: deadlineNs)
        var written: Set<UInt64> = []
        for row in 0..<result.rowCount {
            if let number = result.integer(row: row, column: 0) {
                written.insert(UInt64(bitPattern: number))
            }
        }
        return Set(
            spooled.filter { !written.contains($0.place?.recordNumber ?? 0) }.map(\.fingerprint))
    }

    /// Forgets the marks of records from `number` on: they are not on disk, so the next records of
    /// these numbers are others. One round trip.
    ///
    /// To be called before any record is sent whose number a record had that damage took away.
    package mutating func forgetMarks(
        _ spoolID: [UInt8], from number: UInt64, deadlineNs: UInt64
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(bytea: spoolID)
        parameters.append(Int64(bitPattern: number))
        _ = try query(
            "DELETE FROM otel_spool_marks WHERE spool_id = $1 AND record_number >= $2", parameters,
            deadlineNs: deadlineNs)
    }

    /// Says that the spool is there, and since when the ledger must be kept for it; forgets the
    /// marks of records below `forgottenNumber`, of which no file is left. One round trip each.
    package mutating func registerSpool(
        _ spoolID: [UInt8], keepSinceUnixNs: UInt64?, forgottenNumber: UInt64, deadlineNs: UInt64
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(bytea: spoolID)
        parameters.append(keepSinceUnixNs.map { Int64(clamping: $0) } ?? -1)
        _ = try query(
            """
            INSERT INTO otel_spools (spool_id, keep_since_unix_nano)
            VALUES ($1, nullif($2, -1))
            ON CONFLICT (spool_id) DO UPDATE
            SET keep_since_unix_nano = excluded.keep_since_unix_nano, seen_at = now()
            """, parameters, deadlineNs: deadlineNs)
        var marks = QueryParameters()
        marks.append(bytea: spoolID)
        marks.append(Int64(bitPattern: forgottenNumber))
        _ = try query(
            "DELETE FROM otel_spool_marks WHERE spool_id = $1 AND record_number < $2", marks,
            deadlineNs: deadlineNs)
    }
}

extension QueryParameters {
    fileprivate mutating func append(bytea bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe append(ByteSlice($0), as: .bytea) }
    }
}
