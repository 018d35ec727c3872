// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOCore

/// Looks at the first bytes of a connection, and makes it speak HTTP/2 if they are its preface
/// (RFC 9113 §3.4), else HTTP/1.1. Stays, to see when the bytes of a next request begin to arrive.
///
/// Thread: the channel's loop.
final class ProtocolSniffer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let service: OTLPService
    private let isSecured: Bool
    private var state = State.sniffing
    private var held = ByteBuffer()
    private var timer: Scheduled<Void>?
    /// Who connected; known before its first bytes.
    private var peer: PeerAddress?
    /// What the connection's certificate proves; known before its first bytes. Nil without one.
    private var certificate: PeerIdentity?

    private enum State {
        case sniffing
        case http1(ExportHandler)
        case http2
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// `peer` is nil where a proxy has yet to say who it is. `isSecured` says that there is a TLS
    /// handshake to come first, which has a time of its own.
    init(_ service: OTLPService, _ peer: PeerAddress?, isSecured: Bool = false) {
        self.service = service
        self.isSecured = isSecured
        self.peer = peer
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if !isSecured { closeLater(service.limits.headTime, context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .http1(let handler):
            handler.bytesArrived()
            context.fireChannelRead(data)
        case .http2:
            context.fireChannelRead(data)
        case .sniffing:
            var bytes = unwrapInboundIn(data)
            held.writeBuffer(&bytes)
            guard let isHTTP2 = ProtocolSniffer.isHTTP2(held.readableBytesView) else { return }
            decide(isHTTP2: isHTTP2, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .sniffing = state, event is ChannelShouldQuiesceEvent {
            return context.close(promise: nil)
        }
        if let secured = event as? ChannelSecured {
            certificate = secured.peerIdentity
            closeLater(service.limits.headTime, context)
        }
        if let proxied = event as? ProxiedPeer {
            guard service.isOpened(context.channel, from: proxied.address) else { return }
            peer = proxied.address
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard case .sniffing = state else { return context.fireErrorCaught(error) }
        context.close(promise: nil)
    }

    /// Nil as long as it can be either.
    static func isHTTP2(_ start: some Collection<UInt8>) -> Bool? {
        guard preface.starts(with: start.prefix(preface.count)) else { return false }
        return start.count >= preface.count ? true : nil
    }

    private func decide(isHTTP2: Bool, _ context: ChannelHandlerContext) {
        do {
            guard let peer else { return context.close(promise: nil) }
            let connection = OTLPConnection(service.limits, peer, certificate: certificate)
            if isHTTP2 {
                // Its own timer only runs from the end of a first request.
                closeLater(service.limits.idleTime, context)
                let sniffer = NIOLoopBound(self, eventLoop: context.eventLoop)
                try context.pipeline.syncOperations.addHTTP2(service, connection) {
                    sniffer.value.timer?.cancel()
                }
                state = .http2
            } else {
                timer?.cancel()
                let handler = try context.pipeline.syncOperations.addHTTP1(service, connection)
                state = .http1(handler)
                handler.bytesArrived()
            }
        } catch {
            return context.close(promise: nil)
        }
        let bytes = held
        held = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(bytes))
        context.fireChannelReadComplete()
    }

    private func closeLater(_ delay: TimeAmount, _ context: ChannelHandlerContext) {
        timer?.cancel()
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: delay) { context.value.close(promise: nil) }
    }
}
