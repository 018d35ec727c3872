// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import Query

/// Jaeger's older JSON API, as Grafana and Jaeger UI call it.
enum JaegerV1Routes {
    /// `mount` is empty, or ends in a slash.
    static func add(to routes: QueryRoutes, at mount: String) {
        routes.add(.get, "\(mount)api/services", services)
        routes.add(.get, "\(mount)api/services/:service/operations", operationNames)
        routes.add(.get, "\(mount)api/operations", operations)
        routes.add(.get, "\(mount)api/traces", traces)
        routes.add(.get, "\(mount)api/traces/:id", trace)
        routes.add(.get, "\(mount)api/dependencies", dependencies)
        for name in ["calls", "errors", "latencies"] {
            routes.add(.get, "\(mount)api/metrics/\(name)") {
                (request, service) throws(QueryFailure) in
                try await metrics(name, request, service)
            }
        }
        routes.add(.get, "\(mount)api/metrics/minstep", shortestStep)
        for (method, path, what) in unserved {
            routes.refuse(method, mount + path, "\(what) are not served here")
        }
    }

    private static let unserved: [(HTTPRequest.Method, String, String)] = [
        (.post, "api/transform", "transformations"), (.post, "api/archive/:id", "archives"),
    ]

    private static let services: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV1.writeServices(from: &session, to: &writer)
        }
    }

    private static let operationNames: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let name = try JaegerParameters.storable(request.part("service"), "service")
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV1.writeOperationNames(of: name, from: &session, to: &writer)
        }
    }

    private static let operations: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var parameters = JaegerParameters(request)
        guard let name = try parameters.text("service") else {
            throw QueryFailure(.invalidParameter, "the parameter service is missing")
        }
        let kind = try parameters.kind("spanKind")
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV1.writeOperations(of: name, kind: kind, from: &session, to: &writer)
        }
    }

    private static let trace: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let id = try JaegerParameters.traceID(request.part("id"))
        var parameters = JaegerParameters(request)
        let range = JaegerParameters.range(
            try parameters.microseconds("start"), try parameters.microseconds("end"))
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV1.writeTrace(id, in: range, from: &session, to: &writer)
        }
    }

    private static let dependencies: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var parameters = JaegerParameters(request)
        guard let end = try parameters.milliseconds("endTs") else {
            throw QueryFailure(.invalidParameter, "the parameter endTs is missing")
        }
        let start = max(0, end - (try parameters.milliseconds("lookback") ?? dayNs))
        let name = try parameters.text("service")
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV1.writeDependencies(
                in: start...end, of: name, from: &session, to: &writer)
        }
    }

    private static let dayNs: Int64 = 86_400_000_000_000

    private static let traces: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var parameters = JaegerParameters(request)
        let written = try parameters.texts("traceID")
        guard written.isEmpty else {
            return try await traces(written, request, service)
        }
        let search = try search(&parameters)
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try JaegerV1.writeTraces(search, from: &session, to: &writer)
        }
    }

    private static func traces(
        _ written: [String], _ request: QueryRequest, _ service: QueryService
    ) async throws(QueryFailure) -> Answer {
        var ids: [TraceID] = []
        for text in written {
            let id = try JaegerParameters.traceID(text)
            if !ids.contains(id) { ids.append(id) }
        }
        return try await service.answer(for: request.interest) {
            [ids]
            (session, writer) throws(QueryFailure) in
            try JaegerV1.writeTraces(ids, from: &session, to: &writer)
        }
    }

    private static let lookbackNs: Int64 = 3_600_000_000_000

    private static func search(
        _ parameters: inout JaegerParameters
    ) throws(QueryFailure) -> JaegerSearch {
        let endUnixNs = try parameters.microseconds("end") ?? Int64(clamping: Clock.unixNs)
        let startUnixNs = try parameters.microseconds("start") ?? max(0, endUnixNs - lookbackNs)
        // Microseconds are cut off: the last one is in it.
        var search = JaegerSearch(
            startUnixNs: startUnixNs,
            endUnixNs: endUnixNs > .max - 999 ? .max : endUnixNs + 999)
        search.service = try parameters.text("service")
        search.operation = try parameters.text("operation")
        search.durationNsMin = try parameters.durationNs("minDuration")
        search.durationNsMax = try parameters.durationNs("maxDuration")
        search.limit = try parameters.limit("limit")
        search.tags = try parameters.tags("tags")
        for pair in try parameters.texts("tag") {
            let key = pair.prefix { $0 != ":" }
            guard key.count < pair.count else {
                throw JaegerParameters.malformed("tag", pair, "key:value")
            }
            search.tags.append(
                JaegerSearch.Tag(key: String(key), value: String(pair.dropFirst(key.count + 1))))
        }
        return try JaegerParameters.checked(search)
    }
}
