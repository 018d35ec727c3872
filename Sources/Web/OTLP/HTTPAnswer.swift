// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOHTTP1

/// What is answered to one request of OTLP/HTTP.
struct HTTPAnswer: Equatable {
    var status: HTTPResponseStatus
    /// Beside those that belong to the body and the connection.
    var headers: HTTPHeaders = [:]
    var contentType: String?
    var body: [UInt8] = []

    /// The one place where an outcome becomes a status (OTLP specification, "OTLP/HTTP Response").
    static func of(_ outcome: Outcome, _ signal: Signal, _ encoding: ExportEncoding) -> HTTPAnswer {
        #if DEBUG
        if case .expired = outcome, TestBreak.isOn(.ackExpired) { return accepted(encoding) }
        #endif
        switch outcome {
        case .accepted:
            return accepted(encoding)
        case .partial(let rejectedItemCount, let message):
            return partial(rejectedItemCount, bounded(message), signal, encoding)
        case .retry(let afterMs, let message):
            return retry(afterMs: afterMs, message, encoding)
        case .throttled(let afterMs, let message):
            return retry(.tooManyRequests, afterMs: afterMs, message, encoding)
        case .refused(let refusal):
            switch refusal.code {
            case .invalidArgument, .corruptEncoding:
                return error(.badRequest, refusal.message, encoding)
            case .tooLarge: return error(.payloadTooLarge, refusal.message, encoding)
            }
        case .expired:
            return error(
                .gatewayTimeout, "the deadline passed before the data could be stored", encoding)
        }
    }

    /// A body that is a google.rpc.Status in the encoding of the request.
    static func error(
        _ status: HTTPResponseStatus, _ message: String, _ encoding: ExportEncoding
    ) -> HTTPAnswer {
        let code = statusCode(status)
        let message = bounded(message)
        return HTTPAnswer(
            status: status, contentType: encoding.mediaType,
            body: encoding == .json
                ? json([("code", .number(Int64(code))), ("message", .text(message))])
                : WireText.status(code: code, message: message))
    }

    static func retry(
        _ status: HTTPResponseStatus = .serviceUnavailable, afterMs: Int, _ message: String,
        _ encoding: ExportEncoding
    ) -> HTTPAnswer {
        var answer = error(status, message, encoding)
        answer.headers.add(name: "retry-after", value: String((afterMs + 999) / 1_000))
        return answer
    }

    /// Full success leaves `partial_success` unset (OTLP specification).
    private static func accepted(_ encoding: ExportEncoding) -> HTTPAnswer {
        HTTPAnswer(
            status: .ok, contentType: encoding.mediaType,
            body: encoding == .json ? json([]) : [])
    }

    private static func partial(
        _ rejectedItemCount: Int, _ message: String, _ signal: Signal, _ encoding: ExportEncoding
    ) -> HTTPAnswer {
        let body =
            encoding == .json
            ? json([
                (
                    "partialSuccess",
                    .object([
                        // 64-bit numbers are strings in the JSON mapping of protobuf.
                        (signal.rejectedFieldName, .text(String(rejectedItemCount))),
                        ("errorMessage", .text(message)),
                    ])
                )
            ]) : WireText.partialSuccess(rejectedItemCount: rejectedItemCount, message: message)
        return HTTPAnswer(status: .ok, contentType: encoding.mediaType, body: body)
    }

    private static func json(_ members: [(String, JSONText)]) -> [UInt8] {
        Array(JSONText.object(members).description.utf8)
    }

    private static func bounded(_ message: String) -> String {
        guard message.utf8.count > Limits.messageSizeBytesMax else { return message }
        return String(decoding: message.utf8.prefix(Limits.messageSizeBytesMax), as: UTF8.self)
    }

    /// The number of google.rpc.Code that belongs to a status (google/rpc/code.proto).
    private static func statusCode(_ status: HTTPResponseStatus) -> Int {
        switch status.code {
        case 401: 16
        case 403: 7
        case 404: 5
        case 405: 12
        case 413, 429, 431: 8
        case 503: 14
        case 504: 4
        default: 3
        }
    }
}

extension ExportEncoding {
    var mediaType: String {
        switch self {
        case .protobuf: "application/x-protobuf"
        case .json: "application/json"
        }
    }
}

extension Signal {
    /// Of its partial success, as JSON names it.
    fileprivate var rejectedFieldName: String {
        switch self {
        case .traces: "rejectedSpans"
        case .logs: "rejectedLogRecords"
        case .metrics: "rejectedDataPoints"
        }
    }
}

/// The two messages that answers carry, in the protobuf wire format.
enum WireText {
    /// google.rpc.Status: code = 1, message = 2.
    static func status(code: Int, message: String) -> [UInt8] {
        pair(number: code, message: message)
    }

    /// An Export response with `partial_success` = 1, in it the count = 1 and error_message = 2.
    /// The three signals' differ in names only.
    static func partialSuccess(rejectedItemCount: Int, message: String) -> [UInt8] {
        let partial = pair(number: rejectedItemCount, message: message)
        return [0x0a] + varint(partial.count) + partial
    }

    private static func pair(number: Int, message: String) -> [UInt8] {
        [0x08] + varint(number) + [0x12] + varint(message.utf8.count) + Array(message.utf8)
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var rest = UInt64(value)
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
