// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// Searches for traces, spans and log records: GET with parameters, POST with a body.
enum SearchRoutes {
    static func add(to routes: QueryRoutes) {
        for elements in [SearchQuestion.Elements.traces, .spans, .logs] {
            routes.add(.get, "api/\(elements.rawValue)") {
                (request, service) throws(QueryFailure) in
                let question = try SearchParameters.question(elements, taking: &request)
                return try await answer(question, request, service)
            }
            routes.add(.post, "api/\(elements.rawValue)/search") {
                (request, service) throws(QueryFailure) in
                let question = try SearchQuestion(elements, body: request.body)
                return try await answer(question, request, service)
            }
        }
    }

    private static func answer(
        _ question: SearchQuestion, _ request: QueryRequest, _ service: QueryService
    ) async throws(QueryFailure) -> Answer {
        try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            switch question.elements {
            case .traces: try TraceSearch(question).write(from: &session, to: &writer)
            case .spans: try SpanSearch(question).write(from: &session, to: &writer)
            case .logs: try LogSearch(question).write(from: &session, to: &writer)
            }
        }
    }
}
