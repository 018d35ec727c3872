// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOCore
internal import NIOHTTP1

/// Bounds what an HTTP/1.1 connection can have answered: ends one that sends many requests ahead of
/// their answers (RFC 9112 §9.3.2 lets a server close whenever it has answered), or many in one
/// turn of the event loop, and reads no more of one that does not read.
///
/// Their answers would be given in one turn, however many they are, and others would wait for them.
/// No client of OTLP does that; one that retries on another connection goes on. A client that does
/// not read its answers finds its connection idle. Stands between the decoder and the handler that
/// queues requests. Thread: the channel's loop.
final class PipelineLimit: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let countMax: Int
    private let counters: Counters
    private var unansweredCount = 0
    /// Requests that began in this turn, answered or not.
    private var turnCount = 0
    private var hasEnded = false
    /// Whether the channel would have been read from while its answers wait.
    private var isReadHeld = false

    init(countMax: Int, counters: Counters) {
        self.countMax = countMax
        self.counters = counters
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What was read with the request that was too many still comes.
        guard !hasEnded else { return }
        if case .head = unwrapInboundIn(data) {
            unansweredCount += 1
            turnCount += 1
            guard max(unansweredCount, turnCount) <= countMax else {
                hasEnded = true
                counters.add(.abortedForPipelining)
                return context.close(promise: nil)
            }
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        turnCount = 0
        context.fireChannelReadComplete()
    }

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        if case .end = unwrapOutboundIn(data) { unansweredCount -= 1 }
        context.write(data, promise: promise)
    }

    // MARK: Answers that wait

    func read(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return isReadHeld = true }
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, isReadHeld {
            isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }
}
