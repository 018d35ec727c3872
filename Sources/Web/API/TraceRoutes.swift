// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// What is asked about one trace.
enum TraceRoutes {
    static func add(to routes: QueryRoutes) {
        routes.add(.get, "api/traces/:id", wholeTrace)
        routes.add(.get, "api/traces/:id/spans", spans)
        routes.add(.get, "api/traces/:id/logs", logs)
        routes.add(.get, "api/traces/:id/spans/:span_id/logs", spanLogs)
    }

    private static let wholeTrace: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let trace = WholeTrace(try traceID(of: request))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try trace.write(from: &session, to: &writer)
        }
    }

    private static let spans: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let spans = TraceSpans(try traceID(of: request))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try spans.write(from: &session, to: &writer)
        }
    }

    private static let logs: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let logs = TraceLogs(of: try traceID(of: request))
        return try await answer(logs, request, service)
    }

    private static let spanLogs: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let trace = try traceID(of: request)
        let written = request.part("span_id")
        guard let span = SpanID(written) else {
            throw QueryFailure(
                .invalidParameter,
                "\"\(written)\" is no span id: 16 hexadecimal digits, not all zero",
                pointer: "span_id")
        }
        return try await answer(TraceLogs(of: trace, span: span), request, service)
    }

    private static func answer(
        _ logs: TraceLogs, _ request: QueryRequest, _ service: QueryService
    ) async throws(QueryFailure) -> Answer {
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try logs.write(from: &session, to: &writer)
        }
    }

    private static func traceID(of request: QueryRequest) throws(QueryFailure) -> TraceID {
        let written = request.part("id")
        guard let id = TraceID(written) else {
            throw QueryFailure(
                .invalidParameter,
                "\"\(written)\" is no trace id: 32 or 16 hexadecimal digits, not all zero",
                pointer: "id")
        }
        return id
    }
}
