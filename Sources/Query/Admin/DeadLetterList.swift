// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Postgres

/// Items that could not be stored, newest first, without what was sent.
package struct DeadLetterList: Sendable {
    /// Which letters; what is nil does not narrow them down.
    package struct Asked: Sendable {
        package var signal: Signal?
        package var reason: String?
        package var sqlState: String?
        package var tenant: String?
        package var service: String?

        package init() {}
    }

    private let filter: DeadLetterFilter
    private let limit: PageLimit
    private let cursor: Cursor?

    /// Errors: those of `Cursor`.
    package init(
        _ asked: Asked, limit: PageLimit, cursor: String?
    ) throws(QueryFailure) {
        var filter = DeadLetterFilter()
        (filter.signal, filter.reason, filter.sqlState) = (
            asked.signal, asked.reason, asked.sqlState
        )
        (filter.tenant, filter.serviceName) = (asked.tenant, asked.service)
        self.filter = filter
        self.limit = limit
        let fingerprint = DeadLetterList.fingerprint(filter)
        if let cursor {
            self.cursor = try Cursor(cursor, of: fingerprint, keyCount: 1)
        } else {
            self.cursor = nil
        }
    }

    private static func fingerprint(_ filter: DeadLetterFilter) -> Cursor.Fingerprint {
        let parts = [
            filter.signal?.storedName, filter.reason, filter.sqlState, filter.tenant,
            filter.serviceName,
        ]
        return Cursor.Fingerprint(
            of: "dead letters " + parts.map { $0.map { "\($0.utf8.count):\($0)" } ?? "-" }.joined())
    }

    private static let noRange = TimeRange(startUnixNs: 0, endUnixNs: 1)

    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let letters = try session.withConnection { (connection, deadlineNs) throws(DatabaseError) in
            try connection.listDeadLetters(
                filter, beforeID: cursor?.key.first ?? .max, limit: limit.count + 1,
                isNewestFirst: true, deadlineNs: deadlineNs)
        }
        let page = letters.prefix(limit.count)
        let last = letters.count > page.count ? page.last : nil
        let next = last.map {
            Cursor(
                range: DeadLetterList.noRange, key: [$0.id],
                of: DeadLetterList.fingerprint(filter))
        }
        Page.write(
            "dead_letters", nextCursor: next?.text, warnings: [limit.warning].compactMap(\.self),
            to: &writer
        ) { writer in
            for letter in page { DeadLetterList.write(letter, to: &writer) }
        }
    }

    /// Writes the letter called `id`. Errors: `notFound`.
    package static func writeOne(
        _ id: Int64, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        var filter = DeadLetterFilter()
        filter.ids = [id]
        let letters = try session.withConnection { (connection, deadlineNs) throws(DatabaseError) in
            try connection.listDeadLetters(filter, limit: 1, deadlineNs: deadlineNs)
        }
        guard let letter = letters.first else {
            throw QueryFailure(.notFound, "there is no dead letter \(id)")
        }
        write(letter, to: &writer)
    }

    private static func write(_ letter: StoredDeadLetter, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("dead_letter_id", digits: letter.id)
            writer.member("signal", letter.signal.storedName)
            writer.member("tenant", letter.tenant)
            writer.member("service", letter.serviceName)
            writer.member("reason", letter.reason)
            writer.member("sqlstate", letter.sqlState)
            writer.member("message", letter.message)
            writer.member("request_id", letter.requestID)
            writer.member("request_item_count", letter.requestItemCount)
            writer.member("item_ordinal", letter.itemOrdinal)
            writer.member("received_unix_nano", digits: Int64(clamping: letter.receivedUnixNs))
            writer.member(
                "dead_lettered_unix_nano", digits: Int64(clamping: letter.deadLetteredUnixNs))
            writer.member("retry_count", letter.retryCount)
            writer.member(
                "retried_unix_nano", digits: letter.retriedUnixNs.map { Int64(clamping: $0) })
            writer.member("size_bytes", letter.sizeBytes)
        }
    }
}
