// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import NIOCore
internal import Query

/// Errors of the query API in the form of RFC 9457. Their types are stable names.
enum Problem {
    static func response(_ failure: QueryFailure) -> Response {
        let status = status(of: failure.kind)
        var response = Response(
            status: status,
            headers: [
                .contentType: "application/problem+json", .cacheControl: "no-store",
                .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(string: "\(json(failure))\n")))
        response.headers[.retryAfter] = failure.retryAfterSeconds.map { "\($0)" }
        return response
    }

    static func json(_ failure: QueryFailure) -> JSONText {
        let status = status(of: failure.kind)
        var members: [(String, JSONText)] = [
            ("type", .text(failure.kind.rawValue)), ("title", .text(title(of: failure.kind))),
            ("status", .number(Int64(status.code))), ("detail", .text(failure.detail)),
        ]
        if let pointer = failure.pointer {
            let error: JSONText = .object([
                ("pointer", .text(pointer)), ("detail", .text(failure.detail)),
            ])
            members.append(("errors", .list([error])))
        }
        if let seconds = failure.retryAfterSeconds {
            members.append(("retry_after", .number(Int64(seconds))))
        }
        return .object(members)
    }

    /// What a kind of failure is in HTTP, whatever form it is told in.
    static func status(of kind: QueryFailure.Kind) -> HTTPResponse.Status {
        switch kind {
        case .invalidParameter, .invalidFilter, .cursorMismatch: .badRequest
        case .rangeTooWide: .unprocessableContent
        case .notFound: .notFound
        case .bodyTooLarge: .contentTooLarge
        case .queryTimeout, .tooManyQueries, .databaseUnavailable, .migrating: .serviceUnavailable
        // Nobody is there to read it.
        case .cancelled: .serviceUnavailable
        case .failed: .internalServerError
        }
    }

    private static func title(of kind: QueryFailure.Kind) -> String {
        switch kind {
        case .invalidParameter: "A parameter is not what it may be"
        case .invalidFilter: "The filter cannot be used"
        case .cursorMismatch: "The cursor belongs to another question"
        case .rangeTooWide: "The range of time is too wide"
        case .notFound: "There is no such thing"
        case .bodyTooLarge: "The body is too large"
        case .queryTimeout: "The database took too long"
        case .tooManyQueries: "Too many questions at a time"
        case .databaseUnavailable: "The database does not answer"
        case .migrating: "The schema is not current"
        case .cancelled: "The client left"
        case .failed: "The question could not be answered"
        }
    }
}
