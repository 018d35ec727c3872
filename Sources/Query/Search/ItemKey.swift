// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Where an item stands in a list, newest first.
protocol ItemKey: Sendable {
    static var partCount: Int { get }
    /// What goes after SELECT to make one, of `fact`.
    static var columns: String { get }
    /// Goes before them where an item that is stored twice is to be there once.
    static var distinct: String { get }
    static var order: String { get }
    var timeUnixNs: Int64 { get }
    /// The key in a cursor: the time, and what tells items of one time apart.
    var parts: [Int64] { get }
    init(_ rows: borrowing QueryResult, row: Int)
    /// What is true of a `fact` that has the time of `parts`, and stands no later in the list.
    static func isPassed(_ parts: [Int64], in statement: inout SQLStatement) -> String
    /// Parts behind those of every item of `timeUnixNs`.
    static func end(ofTime timeUnixNs: Int64) -> [Int64]
    /// What is true of a `fact` that stands before `parts` in the list.
    static func isNewer(_ parts: [Int64], in statement: inout SQLStatement) -> String
    /// Reads the whole rows of `keys`, which are in the order of the list, in that order.
    static func rows(of keys: [Self]) -> SQLStatement
    /// Writes one of them.
    static func write(_ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter)
}

/// Of spans: those of one time by trace and span id. A span that is stored twice is there once.
struct SpanKey: ItemKey {
    let timeUnixNs: Int64
    let trace: TraceBits
    let spanID: Int64
    let resourceID: Int64

    static let partCount = 4
    static let columns =
        "fact.start_time_unix_nano, fact.trace_id, fact.span_id, fact.resource_id"
    static let distinct =
        "DISTINCT ON (fact.start_time_unix_nano, fact.trace_id, fact.span_id)"
    static let order = "fact.start_time_unix_nano DESC, fact.trace_id, fact.span_id"

    init(_ rows: borrowing QueryResult, row: Int) {
        timeUnixNs = rows.integer(row: row, column: 0) ?? 0
        trace = TraceBits(rows.bytes(row: row, column: 1))
        spanID = rows.integer(row: row, column: 2) ?? 0
        resourceID = rows.integer(row: row, column: 3) ?? 0
    }

    var parts: [Int64] { [timeUnixNs, trace.high, trace.low, spanID] }

    static func isPassed(_ parts: [Int64], in statement: inout SQLStatement) -> String {
        let trace = TraceBits(high: parts[1], low: parts[2]).text
        return "fact.start_time_unix_nano = \(statement.bind(parts[0]))"
            + " AND (fact.trace_id, fact.span_id) <= (\(statement.bind(trace))::uuid, "
            + "\(statement.bind(parts[3])))"
    }

    static func end(ofTime timeUnixNs: Int64) -> [Int64] { [timeUnixNs, -1, -1, .max] }

    static func isNewer(_ parts: [Int64], in statement: inout SQLStatement) -> String {
        let trace = TraceBits(high: parts[1], low: parts[2]).text
        let time = statement.bind(parts[0])
        return "(fact.start_time_unix_nano > \(time) OR fact.start_time_unix_nano = \(time)"
            + " AND (fact.trace_id, fact.span_id) < (\(statement.bind(trace))::uuid, "
            + "\(statement.bind(parts[3]))))"
    }

    static func rows(of keys: [SpanKey]) -> SQLStatement { SpanSearch.rows(of: keys) }

    static func write(_ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter) {
        SpanRows.write(rows, row: row, to: &writer)
    }
}

/// Of log records: those of one time by their numbers, the last that arrived first.
struct LogKey: ItemKey {
    let timeUnixNs: Int64
    let logID: Int64
    let resourceID: Int64

    static let partCount = 2
    static let columns = "fact.time_unix_nano, fact.log_id, fact.resource_id"
    static let distinct = ""
    static let order = "fact.time_unix_nano DESC, fact.log_id DESC"

    init(_ rows: borrowing QueryResult, row: Int) {
        timeUnixNs = rows.integer(row: row, column: 0) ?? 0
        logID = rows.integer(row: row, column: 1) ?? 0
        resourceID = rows.integer(row: row, column: 2) ?? 0
    }

    var parts: [Int64] { [timeUnixNs, logID] }

    static func isPassed(_ parts: [Int64], in statement: inout SQLStatement) -> String {
        "fact.time_unix_nano = \(statement.bind(parts[0]))"
            + " AND fact.log_id >= \(statement.bind(parts[1]))"
    }

    static func end(ofTime timeUnixNs: Int64) -> [Int64] { [timeUnixNs, .min] }

    static func isNewer(_ parts: [Int64], in statement: inout SQLStatement) -> String {
        "(fact.time_unix_nano, fact.log_id)"
            + " > (\(statement.bind(parts[0])), \(statement.bind(parts[1])))"
    }

    static func rows(of keys: [LogKey]) -> SQLStatement { LogSearch.rows(of: keys) }

    static func write(_ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter) {
        LogRows.write(rows, row: row, to: &writer)
    }
}

/// The 16 bytes of a trace id as two numbers, big-endian.
struct TraceBits: Sendable, Equatable {
    let high: Int64
    let low: Int64

    init(high: Int64, low: Int64) {
        self.high = high
        self.low = low
    }

    /// Of a field of type uuid.
    init(_ uuid: ByteSlice) {
        high = uuid.bigEndian(at: 0, as: Int64.self)
        low = uuid.bigEndian(at: 8, as: Int64.self)
    }

    /// 32 hexadecimal digits.
    var text: String {
        [high, low].map { part in
            let digits = String(UInt64(bitPattern: part), radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }.joined()
    }
}
