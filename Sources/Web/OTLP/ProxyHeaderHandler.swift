// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOCore

/// For whom a proxy connects; comes up the pipeline before the first byte.
struct ProxiedPeer: Sendable {
    let address: PeerAddress
}

/// Takes the header of the PROXY protocol off the front of a connection, before TLS, says whose it
/// is by `ProxiedPeer`, and goes. Anything else ends the connection. Thread: the channel's loop.
final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let service: OTLPService
    private let proxy: PeerAddress
    private var reader = ProxyHeaderReader()
    private var timer: Scheduled<Void>?
    private var hasEnded = false

    init(_ service: OTLPService, _ proxy: PeerAddress) {
        self.service = service
        self.proxy = proxy
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.value.eventLoop.scheduleTask(in: service.limits.proxyHeaderTime) {
            handler.value.end(.timedOut, context.value)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A drain does not wait for a header.
        if event is ChannelShouldQuiesceEvent { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasEnded else { return }
        var bytes = unwrapInboundIn(data)
        do throws(ProxyHeaderFault) {
            switch try take(bytes) {
            case .incomplete: return
            case .complete(let source, let takenCount):
                bytes.moveReaderIndex(forwardBy: takenCount)
                goOn(as: source ?? proxy, with: bytes, context)
            }
        } catch {
            end(error, context)
        }
    }

    private func take(_ bytes: ByteBuffer) throws(ProxyHeaderFault) -> ProxyHeaderReader.Progress {
        let outcome = unsafe bytes.withUnsafeReadableBytes { buffer in
            Result { () throws(ProxyHeaderFault) in
                try unsafe reader.append(ByteSlice(buffer))
            }
        }
        return try outcome.get()
    }

    private func goOn(
        as peer: PeerAddress, with rest: ByteBuffer, _ context: ChannelHandlerContext
    ) {
        hasEnded = true
        context.fireUserInboundEventTriggered(ProxiedPeer(address: peer))
        if rest.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(rest))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func end(_ fault: ProxyHeaderFault, _ context: ChannelHandlerContext) {
        guard !hasEnded else { return }
        hasEnded = true
        service.receiver.proxyHeaderRefused(fault)
        context.close(promise: nil)
    }
}
