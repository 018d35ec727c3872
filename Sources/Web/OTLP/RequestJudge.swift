// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import NIOHTTP1

/// What the head of a request says that is served.
struct ExportHead: Equatable {
    let signal: Signal
    let encoding: ExportEncoding
    let isCompressed: Bool
    /// Of the body, where the client says it.
    let contentLength: Int?
    /// Whether the client waits to be told before it sends the body.
    let expectsContinue: Bool
}

/// What becomes of a request, as seen from its head.
enum Verdict {
    /// It is served; for whom, where anybody is asked.
    case accept(ExportHead, Identity?)
    case answer(HTTPAnswer, countedAs: Counter)
    /// Likewise, and it is no request for the counters: a browser asks what it may.
    case preflight(HTTPAnswer)
}

/// Judges requests by their heads, before a byte of body is read. The only place that does: whoever
/// wants to see a head, or to refuse a request for it, has to do so here.
struct RequestJudge: Sendable {
    let settings: ExportServerSettings
    let authenticator: any Authenticator
    /// Asked for where the list of tokens is not there yet.
    let retryDelayMs: @Sendable () -> Int

    /// `certificate` is what that of the connection proves. `peer` says where the request comes
    /// from, and is called for what is logged only.
    func judge(
        _ head: HTTPRequestHead, certificate: PeerIdentity?, peer: () -> String
    ) -> Verdict {
        let errorEncoding = RequestJudge.encoding(head.headers.first(name: "content-type")) ?? .json
        guard let signal = RequestJudge.signal(target: head.uri) else {
            return .answer(
                .error(
                    .notFound, "served are POST /v1/traces, /v1/metrics and /v1/logs", errorEncoding
                ), countedAs: .requestsRefused)
        }
        if head.method == .OPTIONS, let answer = preflight(head.headers) {
            return .preflight(answer)
        }
        guard head.method == .POST else {
            var answer = HTTPAnswer.error(
                .methodNotAllowed, "only POST is served here", errorEncoding)
            answer.headers.add(name: "allow", value: "POST")
            return .answer(answer, countedAs: .requestsRefused)
        }
        let accepted: ExportHead
        do throws(HTTPAnswer.Refusal) {
            accepted = try body(head.headers, signal)
        } catch {
            return .answer(error.answer, countedAs: .requestsRefused)
        }
        let fields = head.headers.lazy.map { ($0.name, $0.value) }
        return admit(RequestAuth.credentials(of: fields, certificate), accepted, peer: peer)
    }

    private func admit(
        _ credentials: Credentials, _ head: ExportHead, peer: () -> String
    ) -> Verdict {
        switch authenticator.judge(credentials, for: .ingest, peer: peer) {
        case .admitted(let identity):
            return .accept(head, identity)
        case .refused(.notReady):
            return .answer(
                .retry(afterMs: retryDelayMs(), AuthFailure.notReady.message, head.encoding),
                countedAs: .requestsRetry)
        case .refused(let failure):
            let status = HTTPResponseStatus(statusCode: RequestAuth.status(of: failure).code)
            var answer = HTTPAnswer.error(status, failure.message, head.encoding)
            for field in RequestAuth.fields(of: failure) {
                answer.headers.add(name: field.name.canonicalName, value: field.value)
            }
            return .answer(answer, countedAs: .requestsRefused)
        }
    }

    private func body(
        _ headers: HTTPHeaders, _ signal: Signal
    ) throws(HTTPAnswer.Refusal) -> ExportHead {
        guard let encoding = RequestJudge.encoding(headers.first(name: "content-type")) else {
            throw .init(
                .error(
                    .unsupportedMediaType,
                    "content-type must be application/x-protobuf or application/json", .json))
        }
        let isCompressed: Bool
        switch headers.first(name: "content-encoding")?.lowercased() {
        case nil, "", "identity": isCompressed = false
        case "gzip", "x-gzip": isCompressed = true
        default:
            var answer = HTTPAnswer.error(
                .unsupportedMediaType, "content-encoding must be gzip, identity, or left out",
                encoding)
            answer.headers.add(name: "accept-encoding", value: "gzip, identity")
            throw .init(answer)
        }
        let contentLength = headers.first(name: "content-length").flatMap { Int($0) }
        if let contentLength, contentLength > settings.requestSizeBytesMax {
            throw .init(tooLarge(sizeText: "has \(contentLength) bytes", encoding))
        }
        let expectation = headers.first(name: "expect")?.lowercased()
        return ExportHead(
            signal: signal, encoding: encoding, isCompressed: isCompressed,
            contentLength: contentLength, expectsContinue: expectation == "100-continue")
    }

    func tooLarge(sizeText: String, _ encoding: ExportEncoding) -> HTTPAnswer {
        .error(
            .payloadTooLarge,
            "the request \(sizeText); limits.request_bytes_max is \(settings.requestSizeBytesMax)",
            encoding)
    }

    /// `target` is a path, or a URI with one as proxies send it (RFC 9112 §3.2).
    static func signal(target: String) -> Signal? {
        var path = target.prefix { $0 != "?" }
        if let scheme = ["http://", "https://"].first(where: path.hasPrefix) {
            path = path.dropFirst(scheme.count).drop { $0 != "/" }
        }
        return switch path {
        case "/v1/traces": .traces
        case "/v1/metrics": .metrics
        case "/v1/logs": .logs
        default: nil
        }
    }

    /// Nil where a media type is not served. Parameters say nothing that matters.
    static func encoding(_ contentType: String?) -> ExportEncoding? {
        guard let contentType else { return nil }
        let type = contentType.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
        return switch type.lowercased() {
        case ExportEncoding.protobuf.mediaType: .protobuf
        case ExportEncoding.json.mediaType: .json
        default: nil
        }
    }
}

extension HTTPAnswer {
    /// An answer that ends the look at a head.
    fileprivate struct Refusal: Error {
        let answer: HTTPAnswer
        init(_ answer: HTTPAnswer) { self.answer = answer }
    }
}

/// Pages of other origins (Fetch standard, "CORS protocol").
extension RequestJudge {
    private static let preflightSeconds = 7_200

    /// What a browser that asks first is told; nil where it is no such question.
    private func preflight(_ headers: HTTPHeaders) -> HTTPAnswer? {
        guard headers.contains(name: "access-control-request-method"),
            headers.contains(name: "origin")
        else { return nil }
        var allowed = originHeaders(headers)
        guard !allowed.isEmpty else {
            return .error(.forbidden, "the origin is not in http.cors_origins", .json)
        }
        allowed.add(name: "access-control-allow-methods", value: "POST")
        if let wanted = headers.first(name: "access-control-request-headers") {
            allowed.add(name: "access-control-allow-headers", value: wanted)
        }
        allowed.add(
            name: "access-control-max-age", value: String(RequestJudge.preflightSeconds))
        return HTTPAnswer(status: .noContent, headers: allowed)
    }

    /// What lets a page read the answer to its request; empty where it may not.
    func originHeaders(_ headers: HTTPHeaders) -> HTTPHeaders {
        guard !settings.allowedOrigins.isEmpty, let origin = headers.first(name: "origin") else {
            return [:]
        }
        if settings.allowedOrigins.contains("*") {
            return [
                "access-control-allow-origin": "*", "access-control-expose-headers": "retry-after",
            ]
        }
        guard settings.allowedOrigins.contains(origin) else { return [:] }
        return [
            "access-control-allow-origin": origin, "vary": "origin",
            "access-control-expose-headers": "retry-after",
        ]
    }
}
