// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Decode
import OTLPFixtures
import Rows

/// Input: a byte that says which signal it is, and a request. Every item becomes a row or is
/// rejected; what goes to the database is whole, and has no text that it would refuse.
func checkRows(_ input: ByteSlice) throws {
    var reader = InputReader(input)
    let signal = Signal.allCases[Int(reader.byte()) % 3]
    let budget = MemoryBudget(limitBytes: 256 << 20)
    try checkRows(reader.rest, signal, budget)
    try hold(budget.inUseBytes == 0, "\(budget.inUseBytes) bytes of the budget are left")
}

private func checkRows(_ bytes: ByteSlice, _ signal: Signal, _ budget: MemoryBudget) throws {
    let export: Export
    do throws(DecodeError) {
        export = try Decoder.decode(
            signal: signal, body: bytes, limits: DecodeLimits(unpackedSizeBytesMax: 16 << 20),
            budget: budget)
    } catch { return }
    var station = Station(budget: budget)
    let tally = try station.encode(export)
    let itemCount = export.itemCount
    try hold(
        tally.rowCount + tally.rejectedItemCount == itemCount,
        "\(itemCount) items gave \(tally.rowCount) rows and \(tally.rejectedItemCount) rejections")
    let rowCount = try station.checkedRowCount()
    try hold(rowCount == tally.rowCount, "\(rowCount) rows are encoded, \(tally.rowCount) counted")
}

/// What stands between Decode and Postgres, with a database that gives out ids.
private struct Station: ~Copyable {
    private var builder: RowBuilder
    private var batch: CopyBatch
    private var database = FakeDatabase()

    init(budget: MemoryBudget) {
        builder = RowBuilder(limits: RowLimits(), budget: budget)
        batch = CopyBatch(interval: .oneDay, budget: budget)
        builder.logIDs.add(1..<100_000)
    }

    mutating func encode(_ export: borrowing Export) throws -> RowTally {
        builder.beginBatch()
        while builder.resolveDimensions(of: export, at: 0) == .missingIsFull { upsert() }
        upsert()
        while builder.resolveSeries(of: export, at: 0) == .missingIsFull { upsert() }
        upsert()
        let context = EmissionContext(
            window: AcceptWindow(
                nowUnixNs: baseUnixNs, pastNs: 86_400_000_000_000, futureNs: 3_600_000_000_000),
            arrivalUnixNs: baseUnixNs + 5)
        guard
            let tally = batch.append(export, at: 0, builder: &builder, context: context),
            batch.seal()
        else { throw Broken(description: "the budget is too small for the rows") }
        return tally
    }

    private mutating func upsert() {
        guard !builder.missing.isEmpty else { return }
        database.upsert(&builder.missing)
        builder.learn()
    }

    /// Rows of all tables, each of whose fields was looked at.
    func checkedRowCount() throws -> Int {
        var rowCount = 0
        for table in FactTable.allCases where !batch[table].isEmpty {
            let columns = batch[table].layout.columns
            rowCount += try checkCopy(batch[table].bytes, columns)
        }
        return rowCount
    }
}

private let textColumns: Set<String> = [
    "name", "trace_state", "status_message", "severity_text", "event_name", "body_text",
]
private let jsonColumns: Set<String> = ["attributes", "events", "links", "body", "exemplars"]

/// Reads COPY's binary format as PostgreSQL does; returns the number of rows.
private func checkCopy(_ bytes: ByteSlice, _ columns: [String]) throws -> Int {
    var reader = InputReader(bytes)
    let head = reader.take(19).array
    try hold(
        head == Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8),
        "the header of COPY is another")
    var rowCount = 0
    while true {
        let columnCount = integer(reader.take(2))
        if columnCount == 0xffff { break }
        try hold(columnCount == columns.count, "\(columnCount) fields for \(columns.count)")
        for column in columns {
            let sizeBytes = integer(reader.take(4))
            guard sizeBytes != 0xffff_ffff else { continue }
            try hold(sizeBytes <= reader.rest.count, "\(column) goes beyond the end")
            try checkField(reader.take(sizeBytes).array, column)
        }
        rowCount += 1
    }
    try hold(reader.rest.isEmpty, "there is something behind the trailer")
    return rowCount
}

private func integer(_ bytes: ByteSlice) -> Int {
    bytes.array.reduce(0) { $0 << 8 | Int($1) }
}

private func checkField(_ field: [UInt8], _ column: String) throws {
    let isJSON = jsonColumns.contains(column)
    guard isJSON || textColumns.contains(column) else { return }
    try hold(!isJSON || field.first == 1, "\(column) has no version of jsonb")
    let bytes = isJSON ? Array(field.dropFirst()) : field
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw Broken(description: "\(column) is no UTF-8")
    }
    try hold(!bytes.contains(0), "\(column) has a NUL")
    let isWhole = !isJSON || JSONSyntax.isJSON(bytes, isForJSONB: true)
    try hold(isWhole, "\(column) is no JSON: \(text)")
}
