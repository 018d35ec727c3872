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
    // Of an HTTP/2 connection.
    private var openStreamCount = 0
    private var idleSince = NIODeadline.distantPast
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
        if !isSecured { expectHead(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
        // A read that ends the connection is not completed, and NIO's list of the streams that it
        // was for, which hold the connection, would never be emptied.
        if case .http2 = state { context.fireChannelReadComplete() }
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
            expectHead(context)
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
            timer?.cancel()
            timer = nil
            if isHTTP2 {
                let context = NIOLoopBound(context, eventLoop: context.eventLoop)
                let sniffer = NIOLoopBound(self, eventLoop: context.eventLoop)
                try context.value.pipeline.syncOperations.addHTTP2(
                    service, connection,
                    requestBegins: { sniffer.value.openStreamCount += 1 },
                    requestEnds: { sniffer.value.streamEnded(context.value) })
                state = .http2
                becameIdle(context.value)
            } else {
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

    // MARK: Time

    /// Closes where the beginning of a head does not come in time.
    private func expectHead(_ context: ChannelHandlerContext) {
        timer?.cancel()
        schedule(context.eventLoop.now + service.limits.headTime, context) { sniffer, context in
            sniffer.service.receiver.counters.add(.abortedForSlowHandshake)
            context.close(promise: nil)
        }
    }

    private func streamEnded(_ context: ChannelHandlerContext) {
        openStreamCount -= 1
        if openStreamCount == 0, context.channel.isActive { becameIdle(context) }
    }

    /// NIO's own timer asks an idle client to go, and waits for it for ever.
    private func becameIdle(_ context: ChannelHandlerContext) {
        idleSince = context.eventLoop.now
        // One that runs looks again when it fires: requests come and go often.
        if timer == nil { lookWhenIdle(context) }
    }

    /// Until when it may be idle.
    private var idleEnd: NIODeadline {
        idleSince + service.limits.idleTime + service.limits.idleGraceTime
    }

    private func lookWhenIdle(_ context: ChannelHandlerContext) {
        schedule(idleEnd, context) { sniffer, context in
            sniffer.timer = nil
            guard sniffer.openStreamCount == 0 else { return }
            if context.eventLoop.now >= sniffer.idleEnd {
                context.close(promise: nil)
            } else {
                sniffer.lookWhenIdle(context)
            }
        }
    }

    private func schedule(
        _ deadline: NIODeadline, _ context: ChannelHandlerContext,
        _ body: @escaping @Sendable (ProtocolSniffer, ChannelHandlerContext) -> Void
    ) {
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        let sniffer = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline) {
            body(sniffer.value, context.value)
        }
    }
}
