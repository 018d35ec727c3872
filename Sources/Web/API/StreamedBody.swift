// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import NIOCore
internal import NIOHTTPTypes
internal import Query

/// A body that is sent while it is made (RFC 9112, section 7.1: chunked).
///
/// One that fails has no last chunk, by which every client knows that it is not whole. Ownership:
/// of the response; one that is dropped without having been sent, as that to HEAD is, abandons the
/// stream. Thread: the connection's event loop.
final class StreamedBody: Sendable {
    private let answer: StreamedAnswer
    private let context: PeerContext
    private let interest: Interest

    /// How long a client may leave a chunk lie. It holds a thread, a connection and a snapshot of
    /// the database meanwhile.
    static let pauseSeconds: Int64 = 60

    init(_ answer: StreamedAnswer, to context: PeerContext, _ interest: Interest) {
        self.answer = answer
        self.context = context
        self.interest = interest
        let chunks = answer.chunks
        context.presence?.watch {
            interest.end()
            chunks.abandon()
        }
    }

    deinit {
        context.presence?.forget()
        interest.end()
        answer.chunks.abandon()
    }

    var response: Response {
        var headers: HTTPFields = [
            .contentType: answer.contentType, .cacheControl: "no-store",
            .vary: "accept-encoding", .xContentTypeOptions: "nosniff",
        ]
        if answer.isPacked { headers[.contentEncoding] = "gzip" }
        if let name = answer.fileName {
            headers[.contentDisposition] = "attachment; filename=\"\(name)\""
        }
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in try await self.send(to: &writer) })
    }

    private func send(to writer: inout any ResponseBodyWriter) async throws {
        do {
            while let chunk = try await answer.chunks.next() {
                try await send(chunk, to: &writer)
            }
        } catch let failure as QueryFailure {
            if let words = lastWords(failure) {
                try await send(words, to: &writer)
                try await flush()
            }
            throw failure
        }
        try await writer.finish(nil)
    }

    /// Waits until the connection has taken it, which it does when little is unsent.
    private func send(_ chunk: [UInt8], to writer: inout any ResponseBodyWriter) async throws {
        let pause = hangUpLater()
        defer { pause.cancel() }
        try await writer.write(ByteBuffer(bytes: chunk))
    }

    /// Waits until everything is with the kernel: what is not, an end of the connection drops.
    private func flush() async throws {
        let pause = hangUpLater()
        defer { pause.cancel() }
        try await context.channel.writeAndFlush(HTTPResponsePart.body(ByteBuffer()))
    }

    private func hangUpLater() -> Scheduled<Void> {
        context.channel.eventLoop.scheduleTask(in: .seconds(StreamedBody.pauseSeconds)) {
            [channel = context.channel] in
            channel.close(promise: nil)
        }
    }

    private func lastWords(_ failure: QueryFailure) -> [UInt8]? {
        switch answer.lastWords {
        case .none: nil
        case .line: Array("{\"error\":\(Problem.json(failure))}\n".utf8)
        case .event: Array("event: error\ndata: \(Problem.json(failure))\n\n".utf8)
        }
    }
}
