// SPDX-License-Identifier: Apache-2.0
internal import Query

/// Questions as parameters of a URL: `start_time`, `end_time`, `limit`, `cursor`; fields by their
/// names (`service=shop`, `resource.host.name=a`, `attr.http.route=/cart`); `filter`, a condition
/// as people type it (`duration_nanos>=250ms`); and `filters`, the list that a body would have.
struct SearchParameters {
    private let subject: FilterSubject
    private var reader: FilterReader
    private var filters: [Filter] = []

    /// Takes all of `request`. Errors: `invalidParameter`, `invalidFilter`.
    static func question(
        _ elements: SearchQuestion.Elements, taking request: inout QueryRequest
    ) throws(QueryFailure) -> SearchQuestion {
        let (filter, conditions) = try filter(elements, taking: &request)
        let (start, end) = (try request.take("start_time"), try request.take("end_time"))
        let isOptional = filter.isOfTraces && start == nil && end == nil
        let asked = isOptional ? nil : try AskedTimeRange(start: start, end: end)
        let limit = try PageLimit(try request.takeInt("limit"))
        let cursor = try request.take("cursor")
        try request.checkNothingIsLeft()
        return SearchQuestion(
            elements, asked: asked, filter: filter, traceConditions: conditions, limit: limit,
            cursor: cursor)
    }

    /// Takes what says which elements are meant, at whatever time.
    static func filter(
        _ elements: SearchQuestion.Elements, taking request: inout QueryRequest
    ) throws(QueryFailure) -> (Filter, TraceConditions) {
        var parameters = SearchParameters(of: elements.subject)
        try parameters.takeFields(from: &request)
        let conditions = try parameters.takeShorthands(of: elements, from: &request)
        return (try parameters.takeFilters(from: &request), conditions)
    }

    /// Takes those that are written out; returns all.
    private mutating func takeFilters(
        from request: inout QueryRequest
    ) throws(QueryFailure) -> Filter {
        if let text = try request.take("filters") {
            let value = try JSONValue(Array(text.utf8))
            filters.append(try reader.filters(value, at: "filters"))
        }
        for text in request.takeAll("filter") {
            filters.append(try reader.expression(text, at: "filter"))
        }
        return .all(filters)
    }

    /// Takes all of `request` but the format; of `metric` alone where it is there. Errors:
    /// `invalidParameter`, `invalidFilter`.
    static func export(
        _ items: ExportQuestion.Items, of metric: String? = nil, taking request: inout QueryRequest
    ) throws(QueryFailure) -> ExportQuestion {
        let filter =
            switch items {
            case .spans: try self.filter(.spans, taking: &request).0
            case .logs: try self.filter(.logs, taking: &request).0
            case .metrics: try self.filter(ofPoints: &request)
            }
        let asked = try request.takeRange()
        let limit = try request.takeInt("limit")
        try request.checkNothingIsLeft()
        return try ExportQuestion(
            items, asked: asked, filter: filter, limit: limit, metric: metric)
    }

    private static func filter(
        ofPoints request: inout QueryRequest
    ) throws(QueryFailure) -> Filter {
        var parameters = SearchParameters(of: .series)
        try parameters.takeFields(from: &request)
        return try parameters.takeFilters(from: &request)
    }

    private init(of subject: FilterSubject) {
        self.subject = subject
        reader = FilterReader(of: subject)
    }

    /// Parameters that are called as fields are.
    private mutating func takeFields(from request: inout QueryRequest) throws(QueryFailure) {
        for name in FilterReader.intrinsicNames(of: subject) {
            if let value = try request.take(name) {
                filters.append(try reader.equals(name, value))
            }
        }
        for prefix in FilterReader.attributePrefixes(of: subject) {
            for (key, value) in request.takeAll(prefix: prefix) {
                filters.append(try reader.equals(prefix + key, value))
            }
        }
    }

    /// Parameters for what equality does not say.
    private mutating func takeShorthands(
        of elements: SearchQuestion.Elements, from request: inout QueryRequest
    ) throws(QueryFailure) -> TraceConditions {
        var conditions = TraceConditions()
        switch elements {
        case .traces:
            conditions.durationNsMin = try SearchParameters.duration("min_duration", from: &request)
            conditions.durationNsMax = try SearchParameters.duration("max_duration", from: &request)
            conditions.hasError = try SearchParameters.truth("errors_only", from: &request)
        case .spans:
            try takeBound("min_duration", "duration_nanos", .gte, from: &request) { .string($0) }
            try takeBound("max_duration", "duration_nanos", .lte, from: &request) { .string($0) }
        case .logs:
            try takeBound("text", "body", .contains, from: &request) { .string($0) }
            try takeBound("min_severity", "severity_number", .gte, from: &request) {
                Severity.range(of: $0).map { .int($0.lowerBound) } ?? .string($0)
            }
            try takeBound("max_severity", "severity_number", .lte, from: &request) {
                Severity.range(of: $0).map { .int($0.upperBound) } ?? .string($0)
            }
        }
        return conditions
    }

    private mutating func takeBound(
        _ parameter: String, _ field: String, _ operation: FilterOperator,
        from request: inout QueryRequest, _ value: (String) -> JSONValue
    ) throws(QueryFailure) {
        guard let text = try request.take(parameter) else { return }
        filters.append(try reader.parameter(field, operation, value(text), at: parameter))
    }

    private static func duration(
        _ name: String, from request: inout QueryRequest
    ) throws(QueryFailure) -> Int64? {
        guard let text = try request.take(name) else { return nil }
        return try TraceConditions.duration(name, text, pointer: name)
    }

    private static func truth(
        _ name: String, from request: inout QueryRequest
    ) throws(QueryFailure) -> Bool {
        guard let text = try request.take(name) else { return false }
        guard let truth = Bool(text) else {
            throw QueryFailure(
                .invalidParameter, "\(name) is \"\(text)\", and has to be true or false",
                pointer: name)
        }
        return truth
    }
}
