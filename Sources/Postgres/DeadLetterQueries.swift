// SPDX-License-Identifier: Apache-2.0
package import Base

/// Which dead letters are meant; what is nil or empty does not narrow them down.
package struct DeadLetterFilter: Sendable {
    package var ids: [Int64] = []
    package var signal: Signal?
    package var reason: String?
    package var sqlState: String?
    package var tenant: String?
    package var serviceName: String?
    /// Moments as PostgreSQL reads them; of the writing of the letter.
    package var sinceText: String?
    package var untilText: String?

    package init() {}

    /// A condition in SQL whose parameters are appended to `parameters`.
    func condition(_ parameters: inout QueryParameters) -> String {
        var parts: [String] = []
        if !ids.isEmpty {
            var array = ArrayParameter(.int8)
            for id in ids { array.append(id) }
            parameters.append(array)
            parts.append("dead_letter_id = ANY ($\(parameters.entries.count))")
        }
        let texts: [(String, String?)] = [
            ("signal =", signal?.storedName), ("reason =", reason), ("sqlstate =", sqlState),
            ("tenant =", tenant), ("service_name =", serviceName),
            ("dead_lettered_at >=", sinceText), ("dead_lettered_at <", untilText),
        ]
        for (comparison, value) in texts {
            guard let value else { continue }
            parameters.append(value)
            let isTime = comparison.hasPrefix("dead_lettered_at")
            let type = isTime ? "::timestamptz" : ""
            parts.append("\(comparison) $\(parameters.entries.count)::text\(type)")
        }
        return parts.isEmpty ? "true" : parts.joined(separator: " AND ")
    }
}

/// A row of `otel_dead_letters`, its request aside.
package struct StoredDeadLetter: Sendable {
    package let id: Int64
    package let signal: Signal
    package let tenant: String
    package let serviceName: String?
    package let reason: String
    package let sqlState: String?
    package let message: String
    /// Hexadecimal.
    package let requestID: String
    package let requestItemCount: Int64
    package let itemOrdinal: Int64
    package let receivedUnixNs: UInt64
    package let deadLetteredUnixNs: UInt64
    package let retryCount: Int64
    package let retriedUnixNs: UInt64?
    package let sizeBytes: Int64
}

extension PGConnection {
    /// Up to `limit` dead letters behind `afterID` and before `beforeID`, oldest first; or the
    /// newest ones, newest first.
    package mutating func listDeadLetters(
        _ filter: DeadLetterFilter, afterID: Int64 = 0, beforeID: Int64 = .max, limit: Int,
        isNewestFirst: Bool = false, deadlineNs: UInt64
    ) throws(DatabaseError) -> [StoredDeadLetter] {
        var parameters = QueryParameters()
        parameters.append(afterID)
        parameters.append(Int64(limit))
        parameters.append(beforeID)
        let condition = filter.condition(&parameters)
        func ns(_ column: String) -> String { "(extract(epoch FROM \(column)) * 1000000000)::int8" }
        let result = try query(
            """
            SELECT dead_letter_id, signal, tenant, service_name, reason, sqlstate, message,
                encode(request_fingerprint, 'hex'), request_item_count, item_ordinal,
                \(ns("received_at")), \(ns("dead_lettered_at")), retry_count, \(ns("retried_at")),
                size_bytes
            FROM otel_dead_letters
            WHERE dead_letter_id > $1 AND dead_letter_id < $3 AND \(condition)
            ORDER BY dead_letter_id \(isNewestFirst ? "DESC" : "ASC") LIMIT $2
            """, parameters, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { row in
            func integer(_ column: Int) -> Int64 { result.integer(row: row, column: column) ?? 0 }
            func text(_ column: Int) -> String? {
                result.isNull(row: row, column: column)
                    ? nil : result.string(row: row, column: column)
            }
            guard let signal = Signal(policyName: text(1) ?? "") else { return nil }
            return StoredDeadLetter(
                id: integer(0), signal: signal, tenant: text(2) ?? "", serviceName: text(3),
                reason: text(4) ?? "", sqlState: text(5), message: text(6) ?? "",
                requestID: text(7) ?? "", requestItemCount: integer(8), itemOrdinal: integer(9),
                receivedUnixNs: UInt64(max(0, integer(10))),
                deadLetteredUnixNs: UInt64(max(0, integer(11))), retryCount: integer(12),
                retriedUnixNs: result.integer(row: row, column: 13).map { UInt64(max(0, $0)) },
                sizeBytes: integer(14))
        }
    }

    /// Hands the request of each of `ids` that is still there to `body`.
    package mutating func readDeadLetterRequests(
        _ ids: [Int64], deadlineNs: UInt64, _ body: (_ id: Int64, _ request: ByteSlice) -> Void
    ) throws(DatabaseError) {
        var array = ArrayParameter(.int8)
        for id in ids { array.append(id) }
        let result = try query(
            """
            SELECT dead_letter_id, request FROM otel_dead_letters
            WHERE dead_letter_id = ANY ($1) ORDER BY dead_letter_id
            """, QueryParameters([array]), deadlineNs: deadlineNs)
        for row in 0..<result.rowCount {
            body(
                result.integer(row: row, column: 0) ?? 0, result.bytes(row: row, column: 1))
        }
    }

    /// Number and bytes of the dead letters that `filter` means.
    package mutating func countDeadLetters(
        _ filter: DeadLetterFilter, deadlineNs: UInt64
    ) throws(DatabaseError) -> (count: Int64, sizeBytes: Int64) {
        var parameters = QueryParameters()
        let condition = filter.condition(&parameters)
        let result = try query(
            """
            SELECT count(*), coalesce(sum(size_bytes), 0)::int8 FROM otel_dead_letters
            WHERE \(condition)
            """, parameters, deadlineNs: deadlineNs)
        return (
            result.integer(row: 0, column: 0) ?? 0, result.integer(row: 0, column: 1) ?? 0
        )
    }

    /// Deletes dead letters of up to `id`, oldest first, at most `limit`; returns how many, and
    /// their bytes.
    package mutating func purgeDeadLetters(
        _ filter: DeadLetterFilter, throughID id: Int64 = .max, limit: Int, deadlineNs: UInt64
    ) throws(DatabaseError) -> (count: Int64, sizeBytes: Int64) {
        var parameters = QueryParameters()
        parameters.append(id)
        parameters.append(Int64(limit))
        let condition = filter.condition(&parameters)
        let result = try query(
            """
            WITH purged AS (
                DELETE FROM otel_dead_letters WHERE dead_letter_id IN (
                    SELECT dead_letter_id FROM otel_dead_letters
                    WHERE dead_letter_id <= $1 AND \(condition)
                    ORDER BY dead_letter_id LIMIT $2 FOR UPDATE SKIP LOCKED)
                RETURNING size_bytes)
            SELECT count(*), coalesce(sum(size_bytes), 0)::int8 FROM purged
            """, parameters, deadlineNs: deadlineNs)
        return (
            result.integer(row: 0, column: 0) ?? 0, result.integer(row: 0, column: 1) ?? 0
        )
    }

    /// The newest letter that is one too many, by number or by bytes; nil where none is.
    package mutating func deadLetterCut(
        rowCountMax: Int, sizeBytesMax: Int, deadlineNs: UInt64
    ) throws(DatabaseError) -> Int64? {
        let total = try countDeadLetters(DeadLetterFilter(), deadlineNs: deadlineNs)
        guard total.count > rowCountMax || total.sizeBytes > sizeBytesMax else { return nil }
        var parameters = QueryParameters()
        parameters.append(Int64(rowCountMax))
        parameters.append(Int64(sizeBytesMax))
        let result = try query(
            """
            SELECT max(dead_letter_id) FROM (
                SELECT dead_letter_id, row_number() OVER newer AS number,
                    sum(size_bytes) OVER newer AS bytes
                FROM otel_dead_letters WINDOW newer AS (ORDER BY dead_letter_id DESC)
            ) AS letters WHERE number > $1 OR bytes > $2
            """, parameters, deadlineNs: deadlineNs)
        return result.integer(row: 0, column: 0)
    }

    /// Notes in the maintenance log what was purged.
    package mutating func logDeadLetterPurge(
        count: Int64, sizeBytes: Int64, reason: String, deadlineNs: UInt64
    ) throws(DatabaseError) {
        var entry = MaintenanceEntry(.purgeDeadLetters, "otel_dead_letters", nil)
        entry.rowCount = count
        entry.sizeBytes = sizeBytes
        entry.reason = reason
        try append(entry, deadlineNs: deadlineNs)
    }
}

// Replay.
extension PGConnection {
    /// Locks `ids` to the end of the transaction; returns those that are there and nobody else has.
    package mutating func lockDeadLetters(
        _ ids: [Int64], deadlineNs: UInt64
    ) throws(DatabaseError) -> Set<Int64> {
        var array = ArrayParameter(.int8)
        for id in ids { array.append(id) }
        let result = try query(
            """
            SELECT dead_letter_id FROM otel_dead_letters WHERE dead_letter_id = ANY ($1)
            FOR UPDATE SKIP LOCKED
            """, QueryParameters([array]), deadlineNs: deadlineNs)
        return Set((0..<result.rowCount).compactMap { result.integer(row: $0, column: 0) })
    }

    /// In the transaction that stores what was in `storedIDs`.
    package mutating func settleDeadLetters(
        storedIDs: [Int64], failedIDs: [Int64], deadlineNs: UInt64
    ) throws(DatabaseError) {
        for (ids, action) in [
            (storedIDs, "DELETE FROM otel_dead_letters"),
            (
                failedIDs,
                "UPDATE otel_dead_letters SET retry_count = retry_count + 1, retried_at = now()"
            ),
        ] where !ids.isEmpty {
            var array = ArrayParameter(.int8)
            for id in ids { array.append(id) }
            let result = try query(
                "\(action) WHERE dead_letter_id = ANY ($1)", QueryParameters([array]),
                deadlineNs: deadlineNs)
            guard result.affectedRowCount == ids.count else {
                throw .unexpected("dead letters are gone that were locked")
            }
        }
    }
}
