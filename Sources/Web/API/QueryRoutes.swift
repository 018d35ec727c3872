// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import NIOCore
internal import Query

/// Registers routes of the query API: who may ask, and how failures and answers are told.
final class QueryRoutes {
    typealias Handler =
        @Sendable (inout QueryRequest, QueryService) async throws(QueryFailure) -> Answer
    typealias StreamHandler =
        @Sendable (inout QueryRequest, QueryService) async throws(QueryFailure) -> StreamedAnswer

    private let router: Router<PeerContext>
    private let service: QueryService
    /// Nil where everybody may ask.
    private let authenticator: (any Authenticator)?
    private let form: FailureForm
    /// What was added: methods by path.
    private(set) var methods: [String: [HTTPRequest.Method]] = [:]

    init(
        to router: Router<PeerContext>, answering service: QueryService,
        for authenticator: (any Authenticator)?, tellingFailuresAs form: FailureForm = .problem
    ) {
        self.form = form
        self.router = router
        self.service = service
        self.authenticator = authenticator
    }

    /// Serves `method` of `path` to those who may do what `access` says. For GET, HEAD comes along.
    func add(
        _ method: HTTPRequest.Method, _ path: String, for access: Access = .read,
        _ handler: @escaping Handler
    ) {
        add(method, path, for: access) { (request, context, interest, service) in
            defer { context.presence?.forget() }
            var asked = try await QueryRequest(request, context, interest)
            return QueryRoutes.response(try await handler(&asked, service), to: request)
        }
    }

    /// Serves `method` of `path` with a body that is made while it is sent.
    ///
    /// What `handler` throws is told as by `add`, so it does first what can fail. Its `ChunkStream`
    /// is filled by anybody: a reader (`QueryService.export`), whose `put` waits for the client; or
    /// whoever has chunks now and then (`QueryService.openStream`), with `offer`, which says when
    /// there is no room and when nothing is wanted any more. A client that leaves abandons the
    /// stream and ends the interest of the request; one that does not read is given up
    /// (`StreamedBody.pauseSeconds`). No idle timeout of the server cuts a body under way. How
    /// many streams there may be, the handler has to say.
    func addStream(
        _ method: HTTPRequest.Method, _ path: String, for access: Access = .read,
        _ handler: @escaping StreamHandler
    ) {
        add(method, path, for: access) { (request, context, interest, service) in
            let answer: StreamedAnswer
            do {
                var asked = try await QueryRequest(request, context, interest)
                answer = try await handler(&asked, service)
            } catch {
                context.presence?.forget()
                throw error
            }
            return StreamedBody(answer, to: context, interest).response
        }
    }

    private func add(
        _ method: HTTPRequest.Method, _ path: String, for access: Access,
        _ respond:
            @escaping @Sendable (
                Request, PeerContext, Interest, QueryService
            ) async throws -> Response
    ) {
        methods[path, default: []] += method == .get ? [.get, .head] : [method]
        router.on(RouterPath(path), method: method) {
            [service, authenticator, form] request, context in
            let refusal = RequestAuth.refusalOfQuery(
                request.head, from: context, for: access, authenticator, as: form)
            if let refusal { return refusal }
            let interest = Interest()
            context.presence?.watch { interest.end() }
            do {
                return try await respond(request, context, interest, service)
            } catch let failure as QueryFailure {
                return form.failure(failure)
            }
        }
    }

    /// Says of `method` of `path` that it is not implemented, and in `message` what is.
    func refuse(_ method: HTTPRequest.Method, _ path: String, _ message: String) {
        methods[path, default: []] += method == .get ? [.get, .head] : [method]
        router.on(RouterPath(path), method: method) { [form] _, _ in
            form.refusal(.notImplemented, message)
        }
    }

    /// Tells other methods of the paths that were added which there are. Call last.
    func seal() {
        for (path, served) in methods {
            let names = served.map(\.rawValue).joined(separator: ", ")
            for method in QueryRoutes.allMethods where !served.contains(method) {
                router.on(RouterPath(path), method: method) { [form] _, _ in
                    var answer = form.refusal(
                        .methodNotAllowed, "only \(names) are served here")
                    answer.headers[.allow] = names
                    return answer
                }
            }
        }
    }

    private static let allMethods: [HTTPRequest.Method] =
        [
            .get, .head, .post, .put, .patch, .delete, .options, .trace, .connect,
        ] + ["QUERY"].compactMap { HTTPRequest.Method($0) }

    private static func response(_ answer: Answer, to request: Request) -> Response {
        var headers: HTTPFields = [
            .eTag: answer.entityTag, .cacheControl: "no-cache", .vary: "accept-encoding",
            .xContentTypeOptions: "nosniff",
        ]
        if isKnown(answer.entityTag, in: request.headers[values: .ifNoneMatch]) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = "application/json"
        if answer.isGzip { headers[.contentEncoding] = "gzip" }
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.bytes)))
    }

    /// Whether the client has what it asks for already (RFC 9110, section 13.1.2).
    private static func isKnown(_ tag: String, in fields: [String]) -> Bool {
        fields.flatMap { $0.split(separator: ",") }.contains { written in
            let known = written.drop { $0 == " " }.prefix { $0 != " " }
            return known == "*" || known == tag
        }
    }
}
