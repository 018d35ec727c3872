// SPDX-License-Identifier: Apache-2.0
internal import Query

extension QueryService {
    /// Lets a reader answer `request`, of which everything has to be taken, with what `body`
    /// writes. Errors: `invalidParameter` where something is left; those of `body`.
    func answer(
        _ request: QueryRequest,
        _ body:
            @escaping @Sendable (inout ReadSession, inout JSONWriter) throws(QueryFailure) -> Void
    ) async throws(QueryFailure) -> Answer {
        try request.checkNothingIsLeft()
        return try await answer(
            for: request.interest, acceptsGzip: request.acceptsGzip, body)
    }
}
