// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import HTTP2

/// What is sent back on one stream.
///
/// Every error is Trailers-Only: clients look for the status in the first header block (the Java
/// SDK retries only if it finds it there).
enum Answer {
    /// 200, one length-prefixed message, status 0.
    case message([UInt8])
    case headersOnly(HeaderBlock)

    private static let success = HeaderBlock([
        (":status", "200"), ("content-type", "application/grpc"),
    ])
    private static let successTrailers = HeaderBlock([("grpc-status", "0")])
    /// A message of no bytes: full success leaves every field unset (OTLP specification).
    private static let emptyMessage: [UInt8] = [0, 0, 0, 0, 0]

    static let accepted = Answer.message(emptyMessage)

    /// The one place where an outcome becomes a status (OTLP specification, "OTLP/gRPC Response").
    static func of(_ outcome: Outcome) -> Answer {
        #if DEBUG
        if case .expired = outcome, TestBreak.isOn(.ackExpired) { return accepted }
        #endif
        return switch outcome {
        case .accepted:
            accepted
        case .partial(let rejectedItemCount, let message):
            .message(
                framed(
                    StatusDetails.partialSuccess(
                        rejectedItemCount: rejectedItemCount, message: bounded(message))))
        case .retry(let afterMs, let message):
            .error(.unavailable, message, retryAfterMs: afterMs)
        case .throttled(let afterMs, let message):
            // Retryable only because it says when (OTLP specification, "OTLP/gRPC Throttling").
            .error(.resourceExhausted, message, retryAfterMs: afterMs)
        case .refused(let refusal):
            switch refusal.code {
            case .invalidArgument: .error(.invalidArgument, refusal.message)
            case .tooLarge: .error(.resourceExhausted, refusal.message)
            case .corruptEncoding: .error(.internal, refusal.message)
            }
        case .expired:
            .error(.deadlineExceeded, "the deadline passed before the data could be stored")
        }
    }

    /// To whom may not come in (gRPC, status codes and their use).
    static func of(_ failure: AuthFailure, retryAfterMs: Int) -> Answer {
        switch failure {
        case .missing, .malformed, .unknown, .expired, .revoked, .certificate:
            .error(.unauthenticated, failure.message)
        case .scope: .error(.permissionDenied, failure.message)
        case .notReady: .error(.unavailable, failure.message, retryAfterMs: retryAfterMs)
        }
    }

    static func of(_ message: WireMessage) -> Answer { .message(framed(message.bytes)) }

    static func error(
        _ code: StatusCode, _ message: String, retryAfterMs: Int? = nil,
        acceptsEncodings: Bool = false
    ) -> Answer {
        var headers = HeaderBlock([(":status", "200"), ("content-type", "application/grpc")])
        if acceptsEncodings { headers.append("grpc-accept-encoding", "identity,gzip") }
        append(code, bounded(message), retryAfterMs: retryAfterMs, to: &headers)
        return .headersOnly(headers)
    }

    /// An answer to what is not a gRPC request at all: the HTTP status says it, gRPC's is added.
    static func httpError(_ status: Int, _ code: StatusCode, _ message: String) -> Answer {
        var headers = HeaderBlock([
            (":status", String(status)), ("content-type", "application/grpc"),
        ])
        append(code, message, retryAfterMs: nil, to: &headers)
        return .headersOnly(headers)
    }

    func send(on stream: Stream, of session: Session) {
        switch self {
        case .message(let bytes):
            session.respond(
                Answer.success, body: bytes, trailers: Answer.successTrailers, on: stream)
        case .headersOnly(let headers):
            session.respond(headers, on: stream)
        }
    }

    /// Begins an answer of any number of messages, see `Session.append`.
    static func begin(on stream: Stream, of session: Session) {
        session.beginResponse(success, on: stream)
    }

    /// Ends what `begin` began.
    static func end(
        _ code: StatusCode, _ message: String, on stream: Stream, of session: Session
    ) {
        var trailers = HeaderBlock()
        append(code, message, retryAfterMs: nil, to: &trailers)
        session.endResponse(code == .ok ? successTrailers : trailers, on: stream)
    }

    private static func append(
        _ code: StatusCode, _ message: String, retryAfterMs: Int?, to headers: inout HeaderBlock
    ) {
        headers.append("grpc-status", String(code.rawValue))
        headers.append("grpc-message", percentEncoded(message))
        if let retryAfterMs {
            let info = StatusDetails.retryInfo(afterMs: retryAfterMs)
            let status = StatusDetails.status(code: code, message: message, retryInfo: info)
            headers.append("grpc-status-details-bin", Base64.unpadded(status))
            // OpenTelemetry's exporter for Python looks for the delay here and nowhere else.
            headers.append("google.rpc.retryinfo-bin", Base64.unpadded(info))
        }
    }

    /// A length-prefixed message.
    static func framed(_ message: [UInt8]) -> [UInt8] {
        var framed: [UInt8] = [0]
        unsafe withUnsafeBytes(of: UInt32(message.count).bigEndian) {
            unsafe framed.append(contentsOf: $0)
        }
        framed.append(contentsOf: message)
        return framed
    }

    private static func bounded(_ message: String) -> String {
        guard message.utf8.count > Limits.messageSizeBytesMax else { return message }
        return String(decoding: message.utf8.prefix(Limits.messageSizeBytesMax), as: UTF8.self)
    }

    /// Every byte outside 0x20...0x7E, and `%`, as `%XX` (gRPC over HTTP/2, Percent-Encoded).
    static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
