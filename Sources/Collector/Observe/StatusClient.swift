// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Socket
package import TLS

/// Asks a daemon how it is doing, over the HTTP of its `listen.api`.
///
/// Thread: any. Blocks for as long as a connection takes, and a few seconds for the answer.
package struct StatusClient {
    /// In which form the daemon answers.
    package enum Form: Sendable {
        /// A screen for people.
        case text
        case json

        fileprivate var contentType: String {
            switch self {
            case .text: "text/plain"
            case .json: "application/json"
            }
        }
    }

    private let endpoint: Endpoint
    private let token: String?
    private let context: TLSClientContext?

    private static let patienceMs = 5_000
    private static let answerSizeBytesMax = 1 << 20

    /// `token` is of scope `read`, where the daemon asks for one; with a `context` it is asked over
    /// TLS.
    package init(
        _ endpoint: Endpoint, token: String? = nil, context: TLSClientContext? = nil
    ) {
        self.endpoint = endpoint
        self.token = token
        self.context = context
    }

    /// What the daemon says. Errors: `daemonUnreachable`, `failed`.
    package func status(_ form: Form) throws(DaemonError) -> String {
        let answer: [UInt8]
        do throws(SystemError) {
            answer = try ask(
                "GET /api/status HTTP/1.1\r\nHost: starling\r\nAccept: \(form.contentType)\r\n"
                    + "Connection: close\r\n"
                    + (token.map { "Authorization: Bearer \($0)\r\n" } ?? "") + "\r\n")
        } catch {
            throw DaemonError(
                .daemonUnreachable,
                "no daemon answers on \(endpoint): \(error); check that it runs, and listen.api "
                    + "or --api")
        }
        guard let (status, body) = StatusClient.parse(answer) else {
            throw DaemonError(
                .failed, "what answers on \(endpoint) is no HTTP server; check listen.api or --api")
        }
        guard status != 401, status != 403 else {
            throw DaemonError(
                .failed,
                "\(endpoint) does not let us in (status \(status)); give a token of scope read "
                    + "with --token-file or STARLING_TOKEN")
        }
        guard status == 200 else {
            throw DaemonError(
                .failed,
                "\(endpoint) answers with status \(status); check that it is Starling's listen.api")
        }
        return body
    }

    /// Everything that the peer sends until it closes.
    private func ask(_ request: String) throws(SystemError) -> [UInt8] {
        let socket = try DialedSocket(to: endpoint, context: context)
        let buffer = ReadBuffer()
        unsafe buffer.bytes.copyBytes(from: request.utf8)
        try socket.sendAll(buffer.prefix(request.utf8.count))
        let deadlineNs = Clock.monotonicNs + UInt64(StatusClient.patienceMs) * 1_000_000
        var answer: [UInt8] = []
        while answer.count < StatusClient.answerSizeBytesMax {
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
