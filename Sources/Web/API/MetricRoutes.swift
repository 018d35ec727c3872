// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// What is asked about metrics.
enum MetricRoutes {
    static func add(to routes: QueryRoutes) {
        routes.add(.get, "api/metrics", list)
        routes.add(.get, "api/metrics/:name/labels", labels)
        routes.add(.get, "api/metrics/:name/labels/:key/values", values)
        routes.add(.get, "api/metrics/:name/series", series)
        routes.add(.get, "api/metrics/:name/exemplars", exemplars)
        routes.add(.post, "api/metrics/:name/series", seriesOfBody)
        routes.add(.post, "api/metrics/search", search)
    }

    private static let list: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let list = try MetricList(
            prefix: try request.takeText("prefix"),
            limit: try PageLimit(try request.takeInt("limit")),
            cursor: try request.take("cursor"))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try list.write(from: &session, to: &writer)
        }
    }

    private static let labels: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let metric = try metricName(of: request)
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try MetricLabels.write(of: metric, from: &session, to: &writer)
        }
    }

    private static let values: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let metric = try metricName(of: request)
        let key = request.part("key")
        let prefix = try request.takeText("prefix") ?? ""
        let limit = try PageLimit(try request.takeInt("limit"))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try MetricLabels.writeValues(
                of: key, prefix: prefix, limit: limit, metric: metric, from: &session,
                to: &writer)
        }
    }

    private static let series: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let question = try question(of: &request)
        return try await answer(MetricSeries(question), request, service)
    }

    private static let exemplars: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let exemplars = MetricExemplars(try question(of: &request, isAggregated: false))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try exemplars.write(from: &session, to: &writer)
        }
    }

    private static let seriesOfBody: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let question = try MetricQuestion(
            JSONValue(request.body), metric: try metricName(of: request))
        return try await answer(MetricSeries(question), request, service)
    }

    private static let search: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let question = try MetricQuestion(JSONValue(request.body), metric: nil)
        return try await answer(MetricSeries(question), request, service)
    }

    private static func answer(
        _ series: MetricSeries, _ request: QueryRequest, _ service: QueryService
    ) async throws(QueryFailure) -> Answer {
        try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try series.write(from: &session, to: &writer)
        }
    }

    // MARK: Parameters

    /// Out of parameters; filters are `service` and `attr.KEY`, `resource.KEY`, `datapoint.KEY`.
    private static func question(
        of request: inout QueryRequest, isAggregated: Bool = true
    ) throws(QueryFailure) -> MetricQuestion {
        var parts = MetricQuestion.Parts(
            metric: try metricName(of: request), asked: try request.takeRange())
        parts.type = try request.take("type")
        parts.limit = try request.takeInt("limit")
        if isAggregated {
            parts.aggregation = try request.take("aggregation")
            parts.groupBy = request.takeAll("group_by").flatMap {
                $0.split(separator: ",").map(String.init)
            }
            parts.step = try request.take("step")
        }
        var reader = FilterReader(of: .series)
        var filters: [Filter] = []
        if let service = try request.takeText("service") {
            filters.append(try reader.equals("service", service))
        }
        for scope in ["attr.", "resource.", "datapoint.", "scope."] {
            for (key, value) in request.takeAll(prefix: scope) {
                filters.append(try reader.equals(scope + key, value))
            }
        }
        parts.filter = .all(filters)
        try request.checkNothingIsLeft()
        return try MetricQuestion(parts)
    }

    static func metricName(of request: QueryRequest) throws(QueryFailure) -> String {
        let name = request.part("name")
        guard !name.isEmpty, !name.utf8.contains(0) else {
            throw QueryFailure(
                .invalidParameter, "the name of a metric is not empty and has no NUL character",
                pointer: "name")
        }
        return name
    }
}
