// SPDX-License-Identifier: Apache-2.0

/// What somebody wants to follow.
package struct TailQuestion: Sendable {
    /// How it is written.
    package enum Form: Sendable {
        /// Server-sent events (HTML, section 9.2).
        case events
        /// One object of JSON per line.
        case lines

        package var contentType: String {
            switch self {
            case .events: "text/event-stream"
            case .lines: "application/x-ndjson"
            }
        }
    }

    /// How many stored rows come first, the newest.
    struct HistoryLimit {
        let count: Int
        /// Whether older ones are counted among the skipped: not where all that were asked for are
        /// there.
        let tellsOlder: Bool
    }

    let elements: SearchQuestion.Elements
    let filter: Filter
    package let form: Form
    /// From when on stored ones are shown before; nil for none of them.
    let start: AskedTimeRange?
    /// How many of those.
    let historyLimit: HistoryLimit
    /// Rows after which the tail ends; nil for never.
    let rowCountMax: Int?
    /// Where another tail of the same question ended.
    let cursor: TailCursor?
    /// All that says which rows are meant: those who ask for the same are served together.
    let text: String
    let fingerprint: Cursor.Fingerprint

    /// Of spans or log records. `startLimit` is how many of those since `startTime` are shown, at
    /// most and unless it is given `TailLimits.historyRowCountMax`. Errors: `invalidParameter`,
    /// `cursorMismatch`.
    package init(
        _ elements: SearchQuestion.Elements, filter: Filter, form: Form, startTime: String?,
        startLimit: Int64? = nil, limit: Int64?, cursor: String?
    ) throws(QueryFailure) {
        precondition(elements != .traces, "traces are never complete")
        guard limit ?? 1 >= 1 else {
            throw QueryFailure(
                .invalidParameter, "limit is \(limit ?? 0), and has to be 1 at least",
                pointer: "limit")
        }
        guard startTime == nil || cursor == nil else {
            throw QueryFailure(
                .invalidParameter,
                "start_time and cursor both say where to begin; give one of them",
                pointer: "start_time")
        }
        guard startLimit == nil || startTime != nil else {
            throw QueryFailure(
                .invalidParameter, "start_limit is of what start_time names; give that as well",
                pointer: "start_limit")
        }
        historyLimit = try HistoryLimit(startLimit)
        self.elements = elements
        self.filter = filter
        self.form = form
        rowCountMax = limit.map { Int(clamping: $0) }
        text = "tail \(elements.rawValue) \(filter)"
        fingerprint = Cursor.Fingerprint(of: text)
        let keyCount = elements == .logs ? LogKey.partCount : SpanKey.partCount
        if let cursor {
            self.cursor = try TailCursor(cursor, of: fingerprint, keyCount: keyCount)
        } else {
            self.cursor = nil
        }
        if let startTime {
            start = try AskedTimeRange(start: startTime, end: TailQuestion.end)
        } else {
            start = nil
        }
    }

    /// Of what is shown before: nothing that is stored begins later.
    private static let end = "now+2d"
}

extension TailQuestion.HistoryLimit {
    fileprivate init(_ asked: Int64?) throws(QueryFailure) {
        guard asked ?? 1 >= 1 else {
            throw QueryFailure(
                .invalidParameter, "start_limit is \(asked ?? 0), and has to be 1 at least",
                pointer: "start_limit")
        }
        count = Int(min(asked ?? .max, Int64(TailLimits.historyRowCountMax)))
        tellsOlder = (asked ?? .max) > count
    }
}
