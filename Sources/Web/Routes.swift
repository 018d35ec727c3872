// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import Query

/// What is served under which path, and to whom. What is not of the query API reads an observation
/// and waits for nothing.
enum Routes {
    typealias Context = PeerContext

    static func router(
        observing daemon: any DaemonObserver, answering query: QueryService
    ) -> Router<Context> {
        let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: JSONErrors())
        let routes = QueryRoutes(to: router, answering: query, for: daemon.authenticator)
        QueryAPI.add(to: routes)
        routes.seal()
        JaegerRoutes.add(
            to: router, at: JaegerRoutes.mount, answering: query, for: daemon.authenticator)
        let document = OpenAPIDocument.text(version: daemon.observe().version)
        add("openapi.json", to: router) { _ in
            response(.ok, document, contentType: "application/json")
        }
        let authenticator = daemon.authenticator
        add("metrics", to: router, for: authenticator) { _ in
            response(
                .ok, MetricsPage.text(daemon.observe(), query.tailFigures),
                contentType: MetricsText.contentType)
        }
        add("livez", to: router) { _ in
            response(.ofChecks(Liveness.checks(of: daemon.observe())))
        }
        add("readyz", to: router) { _ in
            response(.ofChecks(Readiness.checks(of: daemon.observe())))
        }
        add("health", to: router) { _ in response(.ofDaemon(daemon.observe())) }
        add("health/db", to: router) { _ in response(.ofDatabase(daemon.observe().database)) }
        add("api/status", to: router, for: authenticator) { request in
            let wantsText = request.headers[.accept]?.contains("text/plain") ?? false
            return wantsText
                ? response(
                    .ok, StatusScreen.text(daemon.observe()),
                    contentType: "text/plain; charset=utf-8")
                : response(.ok, StatusBody.json(daemon.observe()))
        }
        return router
    }

    /// Jaeger's query API alone, where its clients expect it.
    static func jaegerRouter(
        observing daemon: any DaemonObserver, answering query: QueryService
    ) -> Router<Context> {
        let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: JSONErrors())
        JaegerRoutes.add(to: router, at: "", answering: query, for: daemon.authenticator)
        return router
    }

    /// Serves GET and HEAD of `path`; other methods hear which there are. With `authenticator` to
    /// those with the scope `read`.
    private static func add(
        _ path: RouterPath, to router: Router<Context>,
        for authenticator: (any Authenticator)? = nil,
        _ respond: @escaping @Sendable (Request) -> Response
    ) {
        router.get(path) { request, context in
            let failure = authenticator.flatMap {
                RequestAuth.failure(of: request.head, from: context, for: .read, $0)
            }
            return failure.map { RequestAuth.response($0) } ?? respond(request)
        }
        for method in otherMethods {
            router.on(path, method: method) { _, _ in
                var answer = problem(.methodNotAllowed, "only GET and HEAD are served here")
                answer.headers[.allow] = "GET, HEAD"
                return answer
            }
        }
    }

    private static let otherMethods: [HTTPRequest.Method] = [
        .post, .put, .patch, .delete, .options, .trace, .connect,
    ]

    // MARK: Responses

    private static func response(_ answer: HealthAnswer) -> Response {
        response(answer.isOK ? .ok : .serviceUnavailable, answer.body)
    }

    private static func response(_ status: HTTPResponse.Status, _ body: JSONText) -> Response {
        response(status, "\(body)\n", contentType: "application/json")
    }

    private static func response(
        _ status: HTTPResponse.Status, _ text: String, contentType: String
    ) -> Response {
        Response(
            status: status,
            headers: [
                .contentType: contentType, .cacheControl: "no-store",
                .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// An error as every route of the API says it.
    static func problem(_ status: HTTPResponse.Status, _ message: String) -> Response {
        response(
            status,
            .object([("status", .number(Int64(status.code))), ("error", .text(message))]))
    }
}

/// Gives every error a body of JSON.
struct JSONErrors: RouterMiddleware {
    typealias Context = Routes.Context

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as any HTTPResponseError {
            return error.status == .notFound
                ? Routes.problem(.notFound, "there is nothing at this path")
                : Routes.problem(error.status, error.status.reasonPhrase)
        }
    }
}
