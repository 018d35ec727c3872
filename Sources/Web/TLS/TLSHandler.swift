// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOCore
internal import TLS

/// TLS of one connection, as the first handler of its channel: the same sessions, rules and files
/// as those of connections without NIO.
///
/// Fires `ChannelSecured` once the handshake is done. A failure ends the channel, behind an alert
/// that says why. What waits to be sent is the channel's own queue, which tells writers when it is
/// too long, as without TLS. Thread: the channel's loop.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let acceptor: TLSAcceptor
    private let session: TLSSession
    private var deadline: Scheduled<Void>?
    private var isHandshakeCounted = false

    init(_ acceptor: TLSAcceptor) {
        self.acceptor = acceptor
        session = acceptor.makeSession()
    }

    /// Who the peer has proved to be; nil where it has shown no certificate.
    var peerIdentity: PeerIdentity? { session.peerIdentity }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        let timeout = TimeAmount.nanoseconds(Int64(clamping: acceptor.handshakeTimeoutNs))
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let me = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: timeout) {
            me.value.fail(.timeout, context: bound.value)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        count(.hangUp)
        context.fireChannelInactive()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .input {
            // A handshake that we break off has not failed.
            isHandshakeCounted = true
            session.sayGoodbye()
            sendOutput(context: context)
        }
        context.close(mode: mode, promise: promise)
    }

    // MARK: From the peer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let ciphertext = unwrapInboundIn(data)
        do throws(TLSFailure) {
            try receive(ciphertext, context: context)
        } catch {
            return fail(error, context: context)
        }
        finishHandshake(context: context)
        sendOutput(context: context)
        if session.state == .ended { context.close(promise: nil) }
    }

    private func receive(
        _ ciphertext: ByteBuffer, context: ChannelHandlerContext
    ) throws(TLSFailure) {
        var failure: TLSFailure?
        unsafe withUnsafeTemporaryAllocation(
            byteCount: TLSSession.recordSizeBytesMax, alignment: 16
        ) { scratch in
            unsafe ciphertext.withUnsafeReadableBytes { bytes in
                do throws(TLSFailure) {
                    try unsafe session.receive(ByteSlice(bytes), scratch: scratch) { plaintext in
                        finishHandshake(context: context)
                        let buffer = unsafe context.channel.allocator.buffer(
                            bytes: plaintext.buffer)
                        context.fireChannelRead(wrapInboundOut(buffer))
                    }
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }

    private func finishHandshake(context: ChannelHandlerContext) {
        guard !isHandshakeCounted, session.state != .handshaking else { return }
        isHandshakeCounted = true
        deadline?.cancel()
        acceptor.succeeded()
        context.fireUserInboundEventTriggered(
            ChannelSecured(
                applicationProtocol: session.applicationProtocol,
                peerIdentity: session.peerIdentity))
    }

    // MARK: To the peer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let plaintext = unwrapOutboundIn(data)
        guard let ciphertext = encrypt(plaintext, context: context) else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(wrapOutboundOut(ciphertext), promise: promise)
    }

    /// Nil where the session takes nothing: before its handshake, and when it has failed.
    private func encrypt(_ plaintext: ByteBuffer, context: ChannelHandlerContext) -> ByteBuffer? {
        var ciphertext = context.channel.allocator.buffer(capacity: plaintext.readableBytes + 256)
        let isTaken = unsafe plaintext.withUnsafeReadableBytes { bytes in
            var rest = unsafe ByteSlice(bytes)
            while !rest.isEmpty {
                guard let count = try? session.write(rest), count > 0 else { return false }
                takeOutput(into: &ciphertext)
                rest = rest.slice(offset: count, count: rest.count - count)
            }
            return true
        }
        return isTaken ? ciphertext : nil
    }

    private func takeOutput(into buffer: inout ByteBuffer) {
        while session.outputCount > 0 {
            session.sendOutput { bytes in
                unsafe buffer.writeBytes(bytes.buffer)
            }
        }
    }

    private func sendOutput(context: ChannelHandlerContext) {
        guard session.outputCount > 0 else { return }
        var buffer = context.channel.allocator.buffer(capacity: session.outputCount)
        takeOutput(into: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    // MARK: Failure

    private func fail(_ failure: TLSFailure, context: ChannelHandlerContext) {
        count(failure)
        sendOutput(context: context)
        context.close(promise: nil)
    }

    private func count(_ failure: TLSFailure) {
        guard !isHandshakeCounted else { return }
        isHandshakeCounted = true
        deadline?.cancel()
        acceptor.failed(failure)
    }
}

/// Fired through a channel when its TLS handshake is done, before the first plaintext.
struct ChannelSecured: Sendable {
    /// What ALPN has chosen; nil where the client offered nothing.
    let applicationProtocol: ApplicationLayerProtocol?
    /// Who the peer has proved to be; nil where it has shown no certificate.
    let peerIdentity: PeerIdentity?
}
