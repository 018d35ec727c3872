// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOCore
internal import NIOHTTP1

/// Ends an HTTP/1.1 connection that sends many requests ahead of their answers (RFC 9112 §9.3.2
/// lets a server close whenever it has answered).
///
/// Their answers would be given in one turn of the event loop, however many they are, and others
/// would wait for them. No client of OTLP does that; one that retries on another connection goes
/// on. Stands between the decoder and the handler that queues requests. Thread: the channel's loop.
final class PipelineLimit: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let countMax: Int
    private let counters: Counters
    private var unansweredCount = 0
    private var hasEnded = false

    init(countMax: Int, counters: Counters) {
        self.countMax = countMax
        self.counters = counters
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What was read with the request that was too many still comes.
        guard !hasEnded else { return }
        if case .head = unwrapInboundIn(data) {
            unansweredCount += 1
            guard unansweredCount <= countMax else {
                hasEnded = true
                counters.add(.abortedForPipelining)
                return context.close(promise: nil)
            }
        }
        context.fireChannelRead(data)
    }

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        if case .end = unwrapOutboundIn(data) { unansweredCount -= 1 }
        context.write(data, promise: promise)
    }
}
