// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// All spans or log records that pass a filter, by their time, oldest first: as they are stored,
/// each row once.
///
/// Read by cursors in one transaction, so that what arrives meanwhile does not show, and what is
/// held does not depend on how much there is.
package struct Export: Sendable {
    private let asked: AskedTimeRange
    private let elements: SearchQuestion.Elements
    private let filter: Filter
    private let format: ExportFormat
    private let countMax: Int64

    /// Errors: `invalidParameter` where `question` has no range of time, or a cursor. `limit` is
    /// how many items there may be; nil for all.
    package init(
        _ question: SearchQuestion, as format: ExportFormat, limit: Int64?
    ) throws(QueryFailure) {
        guard question.cursor == nil else {
            throw QueryFailure(
                .invalidParameter, "an export has no pages, hence no cursor", pointer: "cursor")
        }
        guard limit ?? 1 >= 1 else {
            throw QueryFailure(
                .invalidParameter, "limit is \(limit ?? 0), and has to be 1 at least",
                pointer: "limit")
        }
        // Only a question for traces by their ids may come without.
        if let asked = question.asked {
            self.asked = asked
        } else {
            asked = try AskedTimeRange(start: nil, end: nil)
        }
        elements = question.elements
        filter = question.filter
        self.format = format
        countMax = limit ?? .max
    }

    /// Writes them. Errors: `rangeTooWide`, `queryTimeout`, `cancelled`, those of the database.
    package func write(
        from session: inout ReadSession, to stream: ChunkStream
    ) throws(QueryFailure) {
        let range = try asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try range.check(widthNsMax: session.rangeNsMax)
        try session.withSnapshot { (session) throws(QueryFailure) in
            let catalogue = try session.newFieldCatalogue()
            switch elements {
            case .spans, .traces:
                try write(SpanExport(format, catalogue), in: range, from: &session, to: stream)
            case .logs:
                try write(LogExport(format, catalogue), in: range, from: &session, to: stream)
            }
        }
    }

    private func write<Item: ItemExport>(
        _ item: Item, in range: TimeRange, from session: inout ReadSession, to stream: ChunkStream
    ) throws(QueryFailure) {
        let deadlineNs = Clock.monotonicNs + UInt64(ExportLimits.durationNsMax)
        let facts = try MatchedFacts(filter, of: elements.subject, from: &session)
        var sink = ExportSink(item, format, to: stream)
        var left = countMax
        var batch = FetchBatch()
        for partition in try FactPartition.all(of: facts.table, in: range, from: &session)
        where left > 0 {
            try session.query(
                facts.cursor(item.columns, of: partition, order: Item.order, limit: left))
            while true {
                guard Clock.monotonicNs < deadlineNs else { throw ExportLimits.tooLong }
                let rows = try session.query("FETCH FORWARD \(batch.rowCount) FROM export")
                guard rows.rowCount > 0 else { break }
                left -= Int64(rows.rowCount)
                batch.note(rows)
                try sink.write(rows, from: &session)
            }
            try session.query("CLOSE export")
        }
        try sink.finish()
    }
}

extension MatchedFacts {
    /// What reads the rows of `partition` one after the other.
    fileprivate func cursor(
        _ columns: [String], of partition: FactPartition, order: String, limit: Int64
    ) -> SQLStatement {
        var statement = self.statement
        let conditions = [condition, isIn(partition.range, in: &statement)]
        statement.text = """
            DECLARE export NO SCROLL CURSOR FOR
            SELECT \(columns.joined(separator: ", ")) FROM \(source(of: partition.name))
            WHERE \(conditions.joined(separator: " AND "))
            ORDER BY \(order)\(limit == .max ? "" : " LIMIT \(limit)")
            """
        return statement
    }
}

/// How many rows are fetched at a time: so many that they have about as many bytes as are wanted.
struct FetchBatch {
    private(set) var rowCount = 50

    private static let sizeBytesWanted = 1 << 20
    static let rowCountMax = 1_000

    mutating func note(_ rows: borrowing QueryResult) {
        var sizeBytes = 0
        for row in 0..<rows.rowCount {
            for column in 0..<rows.columnCount {
                sizeBytes += rows.bytes(row: row, column: column).count
            }
        }
        note(sizeBytes: sizeBytes, rowCount: rows.rowCount)
    }

    /// What was fetched last. No more than twice as many are fetched next.
    mutating func note(sizeBytes: Int, rowCount: Int) {
        let fitting = FetchBatch.sizeBytesWanted * rowCount / max(1, sizeBytes)
        self.rowCount = max(1, min(fitting, 2 * self.rowCount, FetchBatch.rowCountMax))
    }
}

/// Bounds of an export beside those of its stream.
enum ExportLimits {
    /// 6 hours. It holds a snapshot for so long, and with that what VACUUM could remove.
    static let durationNsMax: Int64 = 21_600_000_000_000

    static let tooLong = QueryFailure(
        .queryTimeout, "the export took more than 6 hours; export a shorter range of time")
}
