// SPDX-License-Identifier: Apache-2.0

/// What is asked of one metric.
package struct MetricQuestion: Sendable {
    package static let groupKeyCountMax = 10
    package static let seriesCountDefault = 100
    package static let seriesCountMax = 1_000

    let metric: String
    let asked: AskedTimeRange
    let filter: Filter
    /// `gauge`, `sum`, ...; nil is whatever the metric is.
    let type: String?
    let aggregation: (value: MetricAggregation, name: String)?
    let labels: [MetricLabel]
    /// Nanoseconds; nil is a hundredth of the range.
    let stepNs: Int64?
    let limit: Int
    let limitWarning: String?

    /// The parts as they were written, whether in a body or as parameters.
    package struct Parts: Sendable {
        package var metric: String
        package var asked: AskedTimeRange
        package var filter = Filter.everything
        package var type: String?
        package var aggregation: String?
        package var groupBy: [String] = []
        package var step: String?
        package var limit: Int64?

        package init(metric: String, asked: AskedTimeRange) {
            self.metric = metric
            self.asked = asked
        }
    }

    /// `root` is where the parts are: empty for parameters, `/` for members of a body. Errors:
    /// `invalidParameter`.
    package init(_ parts: Parts, at root: String = "") throws(QueryFailure) {
        func wrong(_ name: String, _ detail: String) -> QueryFailure {
            QueryFailure(.invalidParameter, detail, pointer: root + name)
        }
        (metric, asked, filter) = (parts.metric, parts.asked, parts.filter)
        if let type = parts.type, !MetricQuestion.types.contains(type) {
            throw wrong(
                "type",
                "type is \"\(type)\", and has to be one of "
                    + MetricQuestion.types.joined(separator: ", "))
        }
        type = parts.type
        if let name = parts.aggregation {
            guard let value = MetricAggregation(name) else {
                throw wrong(
                    "aggregation",
                    "aggregation is \"\(name)\", and has to be avg, sum, min, max, count, last, "
                        + "rate, increase or a percentile like p95")
            }
            aggregation = (value, name)
        } else {
            aggregation = nil
        }
        guard parts.groupBy.count <= MetricQuestion.groupKeyCountMax else {
            throw wrong(
                "group_by", "there are more than \(MetricQuestion.groupKeyCountMax) labels")
        }
        var labels: [MetricLabel] = []
        for name in parts.groupBy {
            guard let label = MetricLabel(name) else {
                throw wrong(
                    "group_by",
                    "there is no label \"\(name)\"; there are service, service_namespace, "
                        + "scope_name, datapoint.KEY, resource.KEY and scope.KEY")
            }
            if !labels.contains(label) { labels.append(label) }
        }
        self.labels = labels
        if let text = parts.step {
            guard let stepNs = TimeText.durationNs(text), stepNs > 0 else {
                throw wrong("step", "step is \"\(text)\", and has to be a duration like 30s")
            }
            self.stepNs = stepNs
        } else {
            stepNs = nil
        }
        let limit = parts.limit ?? Int64(MetricQuestion.seriesCountDefault)
        guard limit >= 1 else {
            throw wrong("limit", "limit is \(limit), and has to be 1 at least")
        }
        self.limit = Int(min(limit, Int64(MetricQuestion.seriesCountMax)))
        limitWarning =
            limit > self.limit
            ? "limit is \(limit), and no answer has more than \(self.limit) series" : nil
    }

    /// The rows of `metric_types`.
    package static let types = ["gauge", "sum", "histogram", "exponential_histogram", "summary"]
}

extension MetricQuestion {
    /// Out of the body of a POST. `metric` is nil where the body has to name it.
    package init(_ body: JSONValue, metric: String?) throws(QueryFailure) {
        var members = try JSONMembers(body, at: "")
        var named = metric
        if named == nil { named = try members.takeText("metric") }
        guard let named, !named.utf8.contains(0) else {
            throw QueryFailure(
                .invalidParameter, "metric has to name one", pointer: "/metric")
        }
        guard var range = try members.takeMembers("time_range") else {
            throw QueryFailure(
                .invalidParameter, "time_range is missing: {\"start_time\": …, \"end_time\": …}",
                pointer: "/time_range")
        }
        let asked = try AskedTimeRange(
            start: try range.takeTime("start_time"), end: try range.takeTime("end_time"),
            startPointer: "/time_range/start_time")
        try range.checkNothingIsLeft()
        var parts = Parts(metric: named, asked: asked)
        var reader = FilterReader(of: .series)
        parts.filter = try reader.filters(members.take("filters"), at: "/filters")
        parts.type = try members.takeText("type")
        parts.aggregation = try members.takeText("aggregation")
        parts.groupBy = try members.takeTexts("group_by")
        parts.step = try members.takeTime("step")
        parts.limit = try members.takeInt("limit")
        try members.checkNothingIsLeft()
        try self.init(parts, at: "/")
    }
}

extension JSONMembers {
    /// Takes a time or duration: a string, or a whole number of nanoseconds.
    mutating func takeTime(_ name: String) throws(QueryFailure) -> String? {
        switch take(name) {
        case nil, .null: return nil
        case .string(let text): return text
        case .int(let number): return "\(number)"
        case .some(let other):
            throw QueryFailure(
                .invalidParameter,
                "\(name) is \(other.kindName), and has to be a string or a whole number",
                pointer: pointer(to: name))
        }
    }

    /// Takes a list of strings; none where it is not there, or null.
    mutating func takeTexts(_ name: String) throws(QueryFailure) -> [String] {
        let wrong = QueryFailure(
            .invalidParameter, "\(name) has to be a list of strings", pointer: pointer(to: name))
        switch take(name) {
        case nil, .null: return []
        case .list(let elements):
            var texts: [String] = []
            for element in elements {
                guard case .string(let text) = element else { throw wrong }
                texts.append(text)
            }
            return texts
        case .some: throw wrong
        }
    }
}
