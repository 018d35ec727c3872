// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2

/// What Hummingbird does with a connection: hands it to handlers, and waits for its end.
struct OTLPChannel: ServerChildChannel {
    private let service: OTLPService
    private let isSecured: Bool

    struct Value: ServerChildChannelValue {
        let channel: any Channel
    }

    /// `isSecured` says that connections begin with a TLS handshake.
    init(_ service: OTLPService, isSecured: Bool) {
        self.service = service
        self.isSecured = isSecured
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let value = Value(channel: channel)
        let (service, isSecured) = (self.service, self.isSecured)
        let neighbour = PeerAddress(channel.remoteAddress)
        // Behind a proxy nobody knows yet who it is.
        let isProxied = service.receiver.expectsProxyHeader
        guard isProxied ? isProxy(channel, neighbour) : service.isOpened(channel, from: neighbour)
        else { return channel.eventLoop.makeSucceededFuture(value) }
        // A client that has closed its side is gone: nobody would hear the answer.
        return channel.setOption(.allowRemoteHalfClosure, value: false).flatMapThrowing {
            let handlers = channel.pipeline.syncOperations
            if isProxied {
                try handlers.addHandler(ProxyHeaderHandler(service, neighbour), position: .first)
            }
            try handlers.addHandler(
                ProtocolSniffer(service, isProxied ? nil : neighbour, isSecured: isSecured))
            return value
        }
    }

    private func isProxy(_ channel: any Channel, _ neighbour: PeerAddress) -> Bool {
        if service.receiver.admitsProxy(neighbour) { return true }
        channel.close(promise: nil)
        return false
    }

    func handle(value: Value, logger: Logger) async {
        await withTaskCancellationHandler {
            // An error would say no more than that it is closed.
            try? await value.channel.closeFuture.get()
        } onCancel: {
            value.channel.close(promise: nil)
        }
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Makes the channel speak HTTP/1.1, one request after the other.
    func addHTTP1(
        _ service: OTLPService, _ connection: OTLPConnection
    ) throws -> ExportHandler {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = service.limits.headerFieldSizeBytesMax
        limits.maxHeaderListSize = service.settings.headerListSizeBytesMax
        limits.maxHeaderFieldCount = service.limits.headerCountMax
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
        let handler = ExportHandler(service, connection, transport: .http1, loop: eventLoop)
        try addHandlers(
            HTTPResponseEncoder(),
            ByteToMessageHandler(decoder, maximumBufferSize: service.limits.unparsedSizeBytesMax),
            PipelineLimit(
                countMax: service.limits.unansweredCountMax, counters: service.receiver.counters),
            HTTPServerPipelineHandler(),
            NIOHTTPResponseHeadersValidator(),
            handler)
        return handler
    }

    /// Makes the channel speak HTTP/2, a channel of its own for each request.
    ///
    /// `requestBegins` and `requestEnds` are called on the channel's loop, once each per request.
    func addHTTP2(
        _ service: OTLPService, _ shared: OTLPConnection,
        requestBegins: @escaping @Sendable () -> Void, requestEnds: @escaping @Sendable () -> Void
    ) throws {
        let settings = service.settings
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(
                parameter: .maxConcurrentStreams, value: settings.concurrentStreamCountMax),
            HTTP2Setting(parameter: .maxHeaderListSize, value: settings.headerListSizeBytesMax),
            HTTP2Setting(parameter: .initialWindowSize, value: settings.streamWindowBytes),
        ]
        connection.targetWindowSize = settings.connectionWindowBytes
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = settings.streamWindowBytes
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: eventLoop,
            configuration: .init(
                maxIdleTime: service.limits.idleTime, maxAge: nil, maxGraceTime: nil,
                keepalive: nil))
        _ = try configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: connection, streamConfiguration: stream,
            streamDelegate: manager.http2StreamDelegate
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                requestBegins()
                channel.closeFuture.whenComplete { _ in requestEnds() }
                try channel.pipeline.syncOperations.addHandlers(
                    HTTP2FramePayloadToHTTP1ServerCodec(),
                    ExportHandler(
                        service, shared, transport: .http2, loop: channel.eventLoop))
            }
        }
        try addHandlers(manager, HTTP2ErrorHandler(service.receiver.counters))
    }
}

/// Ends a connection whose client broke HTTP/2. A GOAWAY that says why is out already.
final class HTTP2ErrorHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private let counters: Counters
    private var hasEnded = false

    init(_ counters: Counters) { self.counters = counters }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !hasEnded, !HTTP2ErrorHandler.isOfOneStream(error) else { return }
        hasEnded = true
        if error is any NIOHTTP2Error { counters.add(.connectionsAborted) }
        context.close(promise: nil)
    }

    /// Whether one request was not as it should be (RFC 9113 §8.1.1): its stream has been reset,
    /// and the others go on. NIO says so of a few errors only, and ends connections with many.
    private static func isOfOneStream(_ error: any Error) -> Bool {
        switch error {
        case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.NoSuchStream,
            is NIOHTTP2Errors.ContentLengthViolated,
            is NIOHTTP2Errors.ContentLengthHeadersMismatch,
            is NIOHTTP2Errors.ContentLengthHeaderNegative,
            is NIOHTTP2Errors.ContentLengthHeaderMalformedValue,
            is NIOHTTP2Errors.MissingPseudoHeader, is NIOHTTP2Errors.DuplicatePseudoHeader,
            is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader,
            is NIOHTTP2Errors.UnknownPseudoHeader, is NIOHTTP2Errors.UnsupportedPseudoHeader,
            is NIOHTTP2Errors.InvalidPseudoHeaders, is NIOHTTP2Errors.InvalidPseudoHeaderValue,
            is NIOHTTP2Errors.MissingHostHeader, is NIOHTTP2Errors.DuplicateHostHeader,
            is NIOHTTP2Errors.EmptyPathHeader, is NIOHTTP2Errors.ForbiddenHeaderField,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue,
            is NIOHTTP2Errors.TrailersWithoutEndStream:
            true
        default: false
        }
    }
}
