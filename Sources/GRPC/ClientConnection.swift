// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CZlib
package import HTTP2

/// What a server answered to one unary call.
package struct ClientAnswer: Sendable {
    /// The number in `grpc-status`; nil where the server sent none.
    package var statusCode: Int?
    /// `grpc-message`, still percent-encoded.
    package var statusMessage = ""
    /// HTTP status.
    package var httpStatus = 0
    /// The answer's messages as they came, each behind its five-byte prefix.
    package var body: [UInt8] = []
    /// RST_STREAM error, or 0.
    package var resetCode: UInt32 = 0

    /// The server's RetryInfo: milliseconds after which it is worth trying again; nil without.
    package var retryDelayMs: Int?

    /// The partial success in an Export answer: items that will never be stored, and why; nil on
    /// full success.
    package var rejection: (itemCount: Int, message: String)? {
        guard body.count > 5 else { return nil }
        return unsafe body.withUnsafeBytes { body in
            StatusDetails.rejection(
                response: unsafe ByteSlice(body).slice(offset: 5, count: body.count - 5))
        }
    }
}

/// The client side of gRPC on one connection: unary calls with a prepared message.
///
/// Thread: one.
package final class ClientConnection {
    package let session: Session
    private let authority: String
    private let token: String?
    private let scheme: String

    /// `token` goes with each call; `isSecure` says that there is TLS below.
    package init(
        http2: HTTP2Settings, authority: String, token: String? = nil, isSecure: Bool = false
    ) {
        session = Session(role: .client, settings: http2)
        self.authority = authority
        self.token = token
        scheme = isSecure ? "https" : "http"
    }

    /// Starts an Export call with `message`, already framed (see `frame`); `completion` gets the
    /// answer. Returns false when the connection takes no more streams.
    package func export(
        _ signal: Signal, framed message: [UInt8], isCompressed: Bool, timeoutMs: Int,
        completion: @escaping (ClientAnswer) -> Void
    ) -> Bool {
        var headers = HeaderBlock([
            (":method", "POST"), (":scheme", scheme), (":path", "\(Route.path(of: signal))"),
            (":authority", authority), ("te", "trailers"), ("content-type", "application/grpc"),
            ("user-agent", "starling"), ("grpc-timeout", "\(timeoutMs)m"),
        ])
        if isCompressed { headers.append("grpc-encoding", "gzip") }
        if let token { headers.appendSecret("authorization", "Bearer \(token)") }
        return session.request(headers, body: message, handler: ClientCall(completion)) != nil
    }

    /// Puts the length prefix of gRPC before `message`, and compresses it with gzip on request.
    package static func frame(_ message: [UInt8], isCompressed: Bool) -> [UInt8] {
        let payload = isCompressed ? gzip(message) : message
        var framed: [UInt8] = [isCompressed ? 1 : 0]
        framed.reserveCapacity(5 + payload.count)
        unsafe withUnsafeBytes(of: UInt32(payload.count).bigEndian) {
            unsafe framed.append(contentsOf: $0)
        }
        framed.append(contentsOf: payload)
        return framed
    }

    private static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        var stream = unsafe z_stream()
        precondition(unsafe starling_deflate_init2(&stream, 1, 16 + 15) == Z_OK, "out of memory")
        defer { unsafe deflateEnd(&stream) }
        let bound = unsafe Int(deflateBound(&stream, UInt(bytes.count)))
        var input = bytes
        return unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            unsafe input.withUnsafeMutableBufferPointer { input in
                unsafe stream.next_in = input.baseAddress
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                let result = unsafe deflate(&stream, Z_FINISH)
                precondition(result == Z_STREAM_END, "deflateBound was not enough")
            }
            count = unsafe bound - Int(stream.avail_out)
        }
    }
}

/// Collects the answer of one call.
private final class ClientCall: StreamHandler {
    private var answer = ClientAnswer()
    private let completion: (ClientAnswer) -> Void

    init(_ completion: @escaping (ClientAnswer) -> Void) { self.completion = completion }

    func header(name: ByteSlice, value: ByteSlice, on stream: Stream) {
        if name.equals("grpc-status") {
            answer.statusCode = Int(value.string)
        } else if name.equals("grpc-message") {
            answer.statusMessage = value.string
        } else if name.equals("grpc-status-details-bin") {
            answer.retryDelayMs = StatusDetails.retryDelayMs(header: value)
        } else if name.equals(":status") {
            answer.httpStatus = Int(value.string) ?? 0
        }
    }

    func headersEnded(on stream: Stream) {}

    func data(_ bytes: ByteSlice, on stream: Stream) {
        unsafe answer.body.append(contentsOf: bytes.buffer)
        stream.session?.consume(bytes.count, on: stream)
    }

    func ended(on stream: Stream) {}

    func closed(errorCode: UInt32, on stream: Stream) {
        answer.resetCode = errorCode
        completion(answer)
    }
}
