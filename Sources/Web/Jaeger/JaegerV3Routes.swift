// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// Jaeger's api_v3, as Jaeger UI calls it. Names in snake case are those of older clients.
enum JaegerV3Routes {
    /// `mount` is empty, or ends in a slash.
    static func add(to routes: QueryRoutes, at mount: String) {
        routes.add(.get, "\(mount)api/v3/services", services)
        routes.add(.get, "\(mount)api/v3/operations", operations)
        routes.add(.get, "\(mount)api/v3/trace-summaries", summaries)
        routes.add(.get, "\(mount)api/v3/traces", traces)
        routes.add(.get, "\(mount)api/v3/traces/:id", trace)
        routes.add(.get, "\(mount)api/v3/dependencies", dependencies)
    }

    private static let services: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV3.writeServices(from: &session, to: &writer)
        }
    }

    private static let operations: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var parameters = JaegerParameters(request)
        guard let name = try parameters.text("service") else {
            throw QueryFailure(.invalidParameter, "the parameter service is missing")
        }
        let kind = try parameters.kind("spanKind", "span_kind")
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV3.writeOperations(of: name, kind: kind, from: &session, to: &writer)
        }
    }

    private static let dependencies: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var parameters = JaegerParameters(request)
        guard let start = try parameters.time("startTime", "start_time"),
            let end = try parameters.time("endTime", "end_time"), start <= end
        else {
            throw QueryFailure(
                .invalidParameter, "startTime and endTime are required, in this order")
        }
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV3.writeDependencies(in: start...end, from: &session, to: &writer)
        }
    }

    private static let summaries: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var parameters = JaegerParameters(request)
        let search = try search(&parameters)
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV3.writeSummaries(search, from: &session, to: &writer)
        }
    }

    private static let traces: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var parameters = JaegerParameters(request)
        let search = try search(&parameters)
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV3.writeTraces(search, from: &session, to: &writer)
        }
    }

    private static let trace: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let id = try JaegerParameters.traceID(request.part("id"))
        var parameters = JaegerParameters(request)
        let range = JaegerParameters.range(
            try parameters.time("startTime", "start_time"),
            try parameters.time("endTime", "end_time"))
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV3.writeTrace(id, in: range, from: &session, to: &writer)
        }
    }

    private static func search(
        _ parameters: inout JaegerParameters
    ) throws(QueryFailure) -> JaegerSearch {
        guard let start = try parameters.time("query.startTimeMin", "query.start_time_min"),
            let end = try parameters.time("query.startTimeMax", "query.start_time_max")
        else {
            throw QueryFailure(
                .invalidParameter, "query.startTimeMin and query.startTimeMax are required")
        }
        for name in ["query.filter", "query.pagination.pageSize", "query.pagination.pageToken"]
        where try parameters.text(name) != nil {
            throw QueryFailure(
                .invalidParameter, "this is not supported; use query.attributes, and searchDepth",
                pointer: name)
        }
        var search = JaegerSearch(startUnixNs: start, endUnixNs: end)
        search.service = try parameters.text("query.serviceName", "query.service_name")
        search.operation = try parameters.text("query.operationName", "query.operation_name")
        search.durationNsMin = try parameters.durationNs("query.durationMin", "query.duration_min")
        search.durationNsMax = try parameters.durationNs("query.durationMax", "query.duration_max")
        search.limit = try parameters.limit(
            "query.searchDepth", "query.search_depth", "query.num_traces")
        search.tags = try parameters.tags("query.attributes")
        return try JaegerParameters.checked(search)
    }
}
