// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import NIOCore
internal import Query

/// How Jaeger's two APIs tell failures.
enum JaegerForms {
    /// The envelope of the older JSON, without data.
    static let v1 = FailureForm(
        failure: { failure in
            response(failure) { status, message in v1Body(status, message) }
        },
        refusal: { status, message in response(status, v1Body(status, message)) })

    /// `{"error":{"httpCode":…,"message":…}}`.
    static let v3 = FailureForm(
        failure: { failure in
            response(failure) { status, message in v3Body(status, message) }
        },
        refusal: { status, message in response(status, v3Body(status, message)) })

    private static func v1Body(_ status: HTTPResponse.Status, _ message: String) -> [UInt8] {
        JaegerEnvelope.bytes(JaegerEnvelope.Failure(code: status.code, message))
    }

    private static func v3Body(_ status: HTTPResponse.Status, _ message: String) -> [UInt8] {
        let error: JSONText = .object([
            ("httpCode", .number(Int64(status.code))), ("message", .text(message)),
        ])
        return Array("\(JSONText.object([("error", error)]))".utf8)
    }

    private static func response(
        _ failure: QueryFailure, _ body: (HTTPResponse.Status, String) -> [UInt8]
    ) -> Response {
        let status = Problem.status(of: failure.kind)
        let subject = failure.pointer.map { "\($0): " } ?? ""
        var answer = response(status, body(status, subject + failure.detail))
        answer.headers[.retryAfter] = failure.retryAfterSeconds.map { "\($0)" }
        return answer
    }

    private static func response(_ status: HTTPResponse.Status, _ body: [UInt8]) -> Response {
        Response(
            status: status,
            headers: [
                .contentType: "application/json", .cacheControl: "no-store",
                .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}
