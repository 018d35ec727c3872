// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Collector
internal import Query

/// Takes the lines of a tail out of what comes, and remembers how far that goes.
struct TailReader {
    private let printer: TailPrinter
    private let countMax: Int?
    /// The begin of a line whose end has not come.
    private var rest: [UInt8] = []
    private var shownCount = 0
    /// Rows from before the first place. A connection that breaks there begins with them again.
    private var unplaced: [[UInt8]] = []
    /// Where to go on; nil before the first place.
    private(set) var cursor: String?
    /// Whether anything has come since `begin`.
    private(set) var hasHeard = false
    private var hasBegun = false
    /// What the daemon said last, where that was why it ends.
    private var lastWords: JSONObject?

    /// Longer lines are no rows of ours.
    private static let lineSizeBytesMax = 8 << 20
    private static let lineFeed = UInt8(ascii: "\n")

    init(_ printer: TailPrinter, countMax: Int?) {
        self.printer = printer
        self.countMax = countMax
    }

    /// Rows that are still wanted; nil where there is no end.
    var leftCount: Int? { countMax.map { max(1, $0 - shownCount) } }

    /// The next connection begins.
    mutating func begin() {
        rest = []
        unplaced = []
        hasHeard = false
        lastWords = nil
    }

    /// Whether coming back may help after `error`: the tail was there, and what ended it passes.
    func isWorthAnother(_ error: DaemonError) -> Bool {
        guard hasBegun else { return false }
        if let kind = lastWords?["type"]?.text {
            return QueryFailure.Kind(rawValue: kind) == .databaseUnavailable
        }
        return hasHeard || error.code != .failed
    }

    /// Errors: `failed` where what comes is no tail; those of output.
    mutating func take(_ bytes: ByteSlice) throws(DaemonError) {
        hasHeard = true
        var start = 0
        for index in 0..<bytes.count where bytes[index] == TailReader.lineFeed {
            unsafe rest.append(contentsOf: bytes.slice(offset: start, count: index - start).buffer)
            try take(line: rest)
            rest.removeAll(keepingCapacity: true)
            start = index + 1
        }
        unsafe rest.append(
            contentsOf: bytes.slice(offset: start, count: bytes.count - start).buffer)
        guard rest.count <= TailReader.lineSizeBytesMax else { throw TailReader.noTail }
    }

    private static let noTail = DaemonError(
        .failed, "what comes is no tail; check that it is Starling's listen.api")

    private mutating func take(line: [UInt8]) throws(DaemonError) {
        if let (row, place) = TailReader.parts(of: line) {
            hasBegun = true
            unplaced.append(Array(row))
            return try reach(place)
        }
        guard let object = (try? JSONValue(line)).flatMap({ JSONObject($0) }) else {
            throw TailReader.noTail
        }
        hasBegun = true
        if let lag = object["lagged"].flatMap({ JSONObject($0) }) {
            printer.showSkipped(lag.integer("skipped"))
        } else if let status = object["status"].flatMap({ JSONObject($0) }) {
            StandardError.write(
                "… the database is \(status.text("database")): \(status.text("detail"))\n")
        } else if let error = object["error"].flatMap({ JSONObject($0) }) {
            lastWords = error
            if QueryFailure.Kind(rawValue: error.text("type")) != .databaseUnavailable {
                throw DaemonError(.failed, error.text("detail"))
            }
        }
        try reach(object["cursor"]?.text)
    }

    /// Shows what has come, where that is known not to come again.
    private mutating func reach(_ place: String?) throws(DaemonError) {
        cursor = place ?? cursor
        if cursor != nil { try showUnplaced() }
    }

    /// The tail is over.
    mutating func finish() throws(DaemonError) { try showUnplaced() }

    private mutating func showUnplaced() throws(DaemonError) {
        for row in unplaced { try printer.show(row) }
        shownCount += unplaced.count
        unplaced.removeAll(keepingCapacity: true)
    }

    /// The row within `{"row":…}` or `{"row":…,"cursor":"…"}`, as it came, and the cursor; nil of
    /// another line. Not by way of a tree: rows may be deeper than one.
    static func parts(of line: [UInt8]) -> (row: ArraySlice<UInt8>, cursor: String?)? {
        let (head, mark) = (Array("{\"row\":".utf8), Array(",\"cursor\":\"".utf8))
        guard line.starts(with: head), line.last == UInt8(ascii: "}") else { return nil }
        let inner = line[head.count..<(line.count - 1)]
        // A row ends with a brace.
        guard inner.last == UInt8(ascii: "\"") else { return (inner, nil) }
        guard let quote = inner.dropLast().lastIndex(of: UInt8(ascii: "\"")) else { return nil }
        let start = quote + 1 - mark.count
        guard start > head.count, inner[start...quote].elementsEqual(mark) else { return nil }
        return (inner[..<start], String(decoding: inner[(quote + 1)...].dropLast(), as: UTF8.self))
    }
}
