// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Socket
package import TLS

/// Asks a daemon something over the HTTP of its `listen.api`: one request, one connection.
///
/// Thread: any. Blocks for as long as a connection takes, and `patienceMs` for the answer.
package struct APIClient {
    /// What the daemon says, whatever the status is.
    package struct Answer: Sendable {
        package let status: Int
        package let body: String
    }

    /// Where it asks.
    package let endpoint: Endpoint
    private let token: String?
    let context: TLSClientContext?
    let patienceMs: Int

    /// Longer answers are cut off, and an error.
    private static let answerSizeBytesMax = 256 << 20

    /// `token` is of scope `read`, where the daemon asks for one; with a `context` it is asked over
    /// TLS.
    package init(
        _ endpoint: Endpoint, token: String? = nil, context: TLSClientContext? = nil,
        patienceMs: Int = 5_000
    ) {
        self.endpoint = endpoint
        self.token = token
        self.context = context
        self.patienceMs = patienceMs
    }

    /// The answer to GET of `target`, a path with its parameters. Errors: `daemonUnreachable`;
    /// `failed` where no HTTP server answers, or one that lets us not in.
    package func answer(
        to target: String, accepting contentType: String
    ) throws(DaemonError) -> Answer {
        let received: [UInt8]
        do throws(SystemError) {
            received = try ask(request(target, accepting: contentType))
        } catch {
            throw APIClient.unreachable(endpoint, error)
        }
        guard let (status, body) = APIClient.parse(received) else {
            throw APIClient.noServer(endpoint)
        }
        return try APIClient.admitted(Answer(status: status, body: body), by: endpoint)
    }

    /// The whole request of GET.
    func request(_ target: String, accepting contentType: String) -> String {
        "GET \(target) HTTP/1.1\r\nHost: starling\r\nAccept: \(contentType)\r\n"
            + "Connection: close\r\n"
            + (token.map { "Authorization: Bearer \($0)\r\n" } ?? "") + "\r\n"
    }

    // MARK: Errors

    static func unreachable(_ endpoint: Endpoint, _ error: SystemError) -> DaemonError {
        DaemonError(
            .daemonUnreachable,
            "no daemon answers on \(endpoint): \(error); check that it runs, and listen.api or "
                + "--api")
    }

    static func noServer(_ endpoint: Endpoint) -> DaemonError {
        DaemonError(
            .failed, "what answers on \(endpoint) is no HTTP server; check listen.api or --api")
    }

    /// An answer to somebody who may ask. Errors: `failed` for one to somebody who may not.
    static func admitted(_ answer: Answer, by endpoint: Endpoint) throws(DaemonError) -> Answer {
        guard answer.status != 401, answer.status != 403 else {
            throw DaemonError(
                .failed,
                "\(endpoint) does not let us in (status \(answer.status)); give a token of scope "
                    + "read with --token-file or STARLING_TOKEN")
        }
        return answer
    }

    /// Everything that the peer sends until it closes.
    private func ask(_ request: String) throws(SystemError) -> [UInt8] {
        let socket = try DialedSocket(to: endpoint, context: context)
        let buffer = ReadBuffer()
        let sent: Result<Void, SystemError> = unsafe Array(request.utf8).withUnsafeBytes { bytes in
            Result { () throws(SystemError) in try socket.sendAll(unsafe ByteSlice(bytes)) }
        }
        try sent.get()
        let deadlineNs = Clock.monotonicNs + UInt64(patienceMs) * 1_000_000
        var answer: [UInt8] = []
        while answer.count < APIClient.answerSizeBytesMax {
            let leftNs = deadlineNs - min(Clock.monotonicNs, deadlineNs)
            let count = try unsafe socket.receive(
                into: buffer.bytes, timeoutMs: Int(leftNs / 1_000_000))
            // TLS may have had something to say for itself.
            if count == nil, leftNs > 0 { continue }
            guard let count else {
                throw SystemError("receive", "\(endpoint)", code: SystemError.timedOut)
            }
            guard count > 0 else { break }
            unsafe answer.append(contentsOf: buffer.prefix(count).buffer)
        }
        return answer
    }

    /// The status and the body of an HTTP/1.1 answer whose body ends with the connection; nil where
    /// the bytes are none.
    static func parse(_ answer: [UInt8]) -> (status: Int, body: String)? {
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("HTTP/1."), let end = text.firstRange(of: "\r\n\r\n") else {
            return nil
        }
        let words = text.prefix { $0 != "\r\n" }.split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { return nil }
        return (status, String(text[end.upperBound...]))
    }
}
