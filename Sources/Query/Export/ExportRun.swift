// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// An export under way: what may still come, and where it goes.
struct ExportRun: ~Copyable {
    private let deadlineNs = Clock.monotonicNs + UInt64(ExportLimits.durationNsMax)
    private var leftCount: Int64
    private var batch = FetchBatch()
    private var sink: ExportSink

    init(_ format: ExportFormat, _ packer: GzipPacker?, countMax: Int64, to stream: ChunkStream) {
        leftCount = countMax
        sink = ExportSink(format, packer, to: stream)
    }

    /// Whether there are as many as may be.
    var isDone: Bool { leftCount == 0 }

    /// Writes the head; `names` are the fields of its records.
    mutating func begin(_ names: [String]) { sink.begin(names) }

    /// Writes the rows of `query`, one after the other. Errors: `cancelled` where nobody wants them
    /// any more; those of the database.
    mutating func copy<Item: ItemExport>(
        _ query: SQLStatement, of items: inout ExportedItems<Item>, from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = query
        statement.text = "DECLARE export NO SCROLL CURSOR FOR \(query.text)"
        if leftCount < .max { statement.text += " LIMIT \(leftCount)" }
        try session.query(statement)
        while true {
            guard Clock.monotonicNs < deadlineNs else { throw ExportLimits.tooLong }
            let rows = try session.query("FETCH FORWARD \(batch.rowCount) FROM export")
            guard rows.rowCount > 0 else { break }
            leftCount -= Int64(rows.rowCount)
            batch.note(rows)
            try items.write(rows, to: &sink, from: &session)
        }
        try session.query("CLOSE export")
    }

    /// Hands on the rest.
    mutating func finish() throws(QueryFailure) { try sink.finish() }
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
    static let noMemory = QueryFailure(
        .failed, "there is no memory to pack the export with; ask without Accept-Encoding")
}
