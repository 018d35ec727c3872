// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import NIOCore

/// What a handler knows of a request beside its head and its body.
struct PeerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Whether the client is still there. Nil outside of a `WatchedChannel`.
    let presence: Presence?
    /// The connection.
    let channel: any Channel
    /// What the connection's certificate proves; nil without one.
    let certificate: PeerIdentity?

    /// Thread: that of the connection's event loop, on which requests are handled.
    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
        certificate = source.channel.handler(TLSHandler.self)?.peerIdentity
        presence = source.channel.handler(DepartureHandler.self)?.presence
    }

    /// Where it comes from, for people: `192.0.2.1:55000`, or `local`.
    var peer: String { PeerAddress(channel.remoteAddress).description }
}

extension Channel {
    /// The handler of that type in the pipeline; nil without one, and away from the channel's loop,
    /// on which the API's tasks run.
    fileprivate func handler<Handler: ChannelHandler>(_ type: Handler.Type) -> Handler? {
        guard eventLoop.inEventLoop else { return nil }
        return try? pipeline.syncOperations.handler(type: type)
    }
}

extension PeerAddress {
    /// That of a channel's other side; who has none comes through a unix socket.
    init(_ address: SocketAddress?) {
        guard let address, address.ipAddress != nil else {
            self = .local
            return
        }
        let port = UInt16(clamping: address.port ?? 0)
        self = unsafe address.withSockAddr { pointer, sizeBytes in
            let bytes = unsafe UnsafeRawBufferPointer(start: pointer, count: sizeBytes)
            func number<Number: FixedWidthInteger>(at offset: Int, _: Number.Type) -> Number {
                unsafe Number(
                    bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
            }
            // sockaddr_in and sockaddr_in6 of Linux: family and port take the first four bytes.
            if address.protocol == .inet { return .ipv4(number(at: 4, UInt32.self), port: port) }
            return .ipv6(
                high: number(at: 8, UInt64.self), low: number(at: 16, UInt64.self), port: port)
        }
    }
}
