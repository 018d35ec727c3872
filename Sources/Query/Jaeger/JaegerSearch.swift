// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A search for traces, as both of Jaeger's APIs ask it. All of it has to be true of one span.
package struct JaegerSearch: Sendable, Equatable {
    /// Nil for any.
    package var service: String?
    package var operation: String?
    /// Starts of spans; both ends are in it.
    package var startUnixNs: Int64
    package var endUnixNs: Int64
    package var durationNsMin: Int64?
    package var durationNsMax: Int64?
    /// Text of values by keys: of the span, its events, its resource, or one of the tags that
    /// stand for fields of OTLP.
    package var tags: [Tag] = []
    /// Traces that are answered at most.
    package var limit = JaegerSearch.limitDefault

    package struct Tag: Sendable, Equatable {
        package let key: String
        package let value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    package static let limitDefault = 100
    /// What Jaeger UI offers.
    package static let limitMax = 1_500
    package static let tagCountMax = 50

    package init(startUnixNs: Int64, endUnixNs: Int64) {
        self.startUnixNs = startUnixNs
        self.endUnixNs = endUnixNs
    }

    /// The same within the bounds of `query.range_max` and of `limitMax`, and what was left out:
    /// clients of Jaeger offer any range, and would show an error in its place.
    func bounded(rangeNsMax: Int64) -> (search: JaegerSearch, warnings: [String]) {
        var search = self
        var warnings: [String] = []
        let (width, isOver) = endUnixNs.subtractingReportingOverflow(startUnixNs)
        // The last microsecond of a range is whole.
        if isOver || width - 999 > rangeNsMax {
            search.startUnixNs = endUnixNs.subtractingReportingOverflow(rangeNsMax).partialValue
            warnings.append(
                "only the last \(Quantity.text(durationNs: rangeNsMax)) of the time range are "
                    + "searched (query.range_max)")
        }
        if limit > JaegerSearch.limitMax {
            search.limit = JaegerSearch.limitMax
            warnings.append("at most \(JaegerSearch.limitMax) traces are shown")
        }
        return (search, warnings)
    }

    /// Where the spans of traces that are found are looked for.
    var reach: ClosedRange<Int64> {
        let dayNs: Int64 = 86_400_000_000_000
        let start = max(0, startUnixNs.subtractingReportingOverflow(dayNs).partialValue)
        let end = endUnixNs > .max - dayNs ? .max : endUnixNs + dayNs
        return start...max(start, end)
    }

    /// Tags out of a JSON object of texts. Nil where it is none; numbers and booleans are taken as
    /// they are written.
    package static func tags(json: String) -> [Tag]? {
        guard case .object(let members)? = StoredJSON(json) else { return nil }
        var tags: [Tag] = []
        for member in members {
            switch member.value {
            case .string(let text), .number(let text): tags.append(Tag(member.name, text))
            case .bool(let truth): tags.append(Tag(member.name, "\(truth)"))
            default: return nil
            }
        }
        return tags
    }
}

extension JaegerSearch.Tag {
    fileprivate init(_ key: String, _ value: String) { self.init(key: key, value: value) }
}
