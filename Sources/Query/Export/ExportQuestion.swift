// SPDX-License-Identifier: Apache-2.0

/// What an export is of, whatever way that was written.
package struct ExportQuestion: Sendable {
    /// What is exported; the raw value names it.
    package enum Items: String, Sendable, CaseIterable {
        case spans, logs
        /// Points of metrics.
        case metrics

        package var subject: FilterSubject {
            switch self {
            case .spans: .spans
            case .logs: .logs
            case .metrics: .series
            }
        }
    }

    let items: Items
    let asked: AskedTimeRange
    let filter: Filter
    let countMax: Int64
    /// A metric that there has to be; nil where none is named.
    let metric: String?

    /// `limit` is how many items there may be, which `pointer` names; nil for all. Of `metric`
    /// alone, where it is there. Errors: `invalidParameter`.
    package init(
        _ items: Items, asked: AskedTimeRange, filter: Filter, limit: Int64?,
        pointer: String = "limit", metric: String? = nil
    ) throws(QueryFailure) {
        guard limit ?? 1 >= 1 else {
            throw QueryFailure(
                .invalidParameter, "limit is \(limit ?? 0), and has to be 1 at least",
                pointer: pointer)
        }
        precondition(metric == nil || items == .metrics, "only points are of a metric")
        self.items = items
        self.asked = asked
        self.filter = .all(
            [filter]
                + (metric.map { [.condition(.intrinsic(.name), .equals(.string($0)))] } ?? []))
        self.metric = metric
        countMax = limit ?? .max
    }

    /// Reads the body of a search:
    /// `{"time_range":{"start_time","end_time"},"filters":[…],"pagination":{"limit"}}`. Errors:
    /// `invalidParameter`, `invalidFilter`, with JSON pointers.
    package init(_ items: Items, body: [UInt8]) throws(QueryFailure) {
        var members = try JSONMembers(try JSONValue(body), at: "")
        var reader = FilterReader(of: items.subject)
        let filter = try reader.filters(members.take("filters"), at: "/filters")
        // Without an id of a trace in place of it: an export has to say where it ends.
        guard
            let asked = try SearchQuestion.timeRange(
                try members.takeMembers("time_range"), isOptional: false)
        else { preconditionFailure("a range that has to be there is") }
        var limit: Int64?
        if var page = try members.takeMembers("pagination") {
            limit = try page.takeInt("limit")
            try page.checkNothingIsLeft()
        }
        try members.checkNothingIsLeft()
        try self.init(
            items, asked: asked, filter: filter, limit: limit, pointer: "/pagination/limit")
    }
}
