// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What a search asks for, whatever way it was written.
package struct SearchQuestion: Sendable {
    /// What the elements of the answer are; the raw value names their list.
    package enum Elements: String, Sendable {
        case traces, spans, logs

        /// What the filter is about: a trace is found by its spans.
        package var subject: FilterSubject { self == .logs ? .logs : .spans }
    }

    package let elements: Elements
    /// Nil where the filter names traces, which are found at any time.
    package let asked: AskedTimeRange?
    package let filter: Filter
    /// Of traces as wholes; nothing for other elements.
    package let traceConditions: TraceConditions
    package let limit: PageLimit
    /// The `next_cursor` of the page before.
    package let cursor: String?

    package init(
        _ elements: Elements, asked: AskedTimeRange?, filter: Filter,
        traceConditions: TraceConditions = TraceConditions(), limit: PageLimit, cursor: String?
    ) {
        self.elements = elements
        self.asked = asked
        self.filter = filter
        self.traceConditions = traceConditions
        self.limit = limit
        self.cursor = cursor
    }

    /// Where the page begins: the range of time, and the key of the last element before it.
    func start(
        keyCount: Int, rangeNsMax: Int64
    ) throws(QueryFailure) -> (range: TimeRange, key: [Int64]?) {
        if let cursor {
            let cursor = try Cursor(cursor, of: fingerprint, keyCount: keyCount)
            return (cursor.range, cursor.key)
        }
        guard let asked else { return (TimeRange(startUnixNs: 0, endUnixNs: .max), nil) }
        let range = try asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try range.check(widthNsMax: rangeNsMax)
        return (range, nil)
    }

    /// For the cursor of the next page.
    func cursor(after key: [Int64], in range: TimeRange) -> String {
        Cursor(range: range, key: key, of: fingerprint).text
    }

    private var fingerprint: Cursor.Fingerprint {
        let range = asked.map { "\($0.start) \($0.end)" } ?? ""
        return Cursor.Fingerprint(
            of: "\(elements.rawValue) \(range) \(traceConditions) \(filter)")
    }
}

/// What has to be true of a trace as a whole.
package struct TraceConditions: Sendable, Equatable {
    /// Nanoseconds from its first start to its last end; nil where any duration will do.
    package var durationNsMin: Int64?
    package var durationNsMax: Int64?
    /// Whether one of its spans has the status ERROR.
    package var hasError = false

    package init() {}

    /// Whether any trace will do.
    var isEmpty: Bool { self == TraceConditions() }
}
