// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// What is asked about one trace.
enum TraceRoutes {
    static func add(to routes: QueryRoutes) {
        routes.add(.get, "api/traces/:id", wholeTrace)
    }

    private static let wholeTrace: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let trace = WholeTrace(try traceID(of: request))
        try request.checkNothingIsLeft()
        return try await service.answer(for: request.interest, acceptsGzip: request.acceptsGzip) {
            (session, writer) throws(QueryFailure) in
            try trace.write(from: &session, to: &writer)
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
