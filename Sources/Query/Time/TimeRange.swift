// SPDX-License-Identifier: Apache-2.0
internal import Base

/// From a point in time up to another, which is not in it any more. Nanoseconds since 1970.
package struct TimeRange: Sendable, Hashable {
    package let startUnixNs: Int64
    package let endUnixNs: Int64

    package init(startUnixNs: Int64, endUnixNs: Int64) {
        self.startUnixNs = startUnixNs
        self.endUnixNs = endUnixNs
    }

    package var widthNs: Int64 { endUnixNs - startUnixNs }

    /// Errors: `rangeTooWide` where it is wider than `widthNsMax`.
    package func check(widthNsMax: Int64) throws(QueryFailure) {
        guard widthNs > widthNsMax else { return }
        throw QueryFailure(
            .rangeTooWide,
            "from start_time to end_time are \(Quantity.text(durationNs: widthNs)), and "
                + "query.range_max is \(Quantity.text(durationNs: widthNsMax))",
            pointer: "start_time")
    }
}

/// The range of a question as it was asked, before it is known when now is.
package struct AskedTimeRange: Sendable {
    /// Both as `TimeText` reads them.
    package let start: String
    package let end: String
    private let pointer: (start: String, end: String)

    /// What is asked for by the texts of `start_time` and `end_time`; the latter is `now` unless it
    /// is given. Errors: `invalidParameter` where there is no start.
    package init(
        start: String?, end: String?, startPointer: String = "start_time",
        endPointer: String = "end_time"
    ) throws(QueryFailure) {
        guard let start else {
            throw QueryFailure(
                .invalidParameter,
                "start_time is missing: RFC 3339, nanoseconds since 1970, or now-15m",
                pointer: startPointer)
        }
        self.start = start
        self.end = end ?? "now"
        pointer = (startPointer, endPointer)
    }

    /// The range, where now is `nowUnixNs`. Errors: `invalidParameter`.
    package func resolved(nowUnixNs: Int64) throws(QueryFailure) -> TimeRange {
        let startUnixNs = try AskedTimeRange.unixNs("start_time", start, nowUnixNs, pointer.start)
        let endUnixNs = try AskedTimeRange.unixNs("end_time", end, nowUnixNs, pointer.end)
        guard startUnixNs < endUnixNs else {
            throw QueryFailure(
                .invalidParameter, "start_time \(start) is not before end_time \(end)",
                pointer: pointer.start)
        }
        return TimeRange(startUnixNs: startUnixNs, endUnixNs: endUnixNs)
    }

    private static func unixNs(
        _ name: String, _ text: String, _ nowUnixNs: Int64, _ pointer: String
    ) throws(QueryFailure) -> Int64 {
        guard let unixNs = TimeText.unixNs(text, nowUnixNs: nowUnixNs) else {
            throw QueryFailure(
                .invalidParameter,
                "\(name) is \"\(text)\", and has to be RFC 3339, nanoseconds since 1970, or "
                    + "now-15m", pointer: pointer)
        }
        return unixNs
    }
}
