// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import NIOCore

/// What a handler knows of a request beside its head and its body.
struct PeerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let remoteAddress: SocketAddress?
    /// What the connection's certificate proves; nil without one.
    let certificate: PeerIdentity?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
        certificate = source.channel.provenIdentity
    }

    /// Where it comes from, for people: `192.0.2.1:55000`, or `unix`; empty where nobody knows.
    var peer: String { remoteAddress?.peerText ?? "" }
}

extension Channel {
    /// Who the peer has proved to be; nil without TLS, without a certificate, and away from the
    /// channel's loop, on which the API's tasks run.
    fileprivate var provenIdentity: PeerIdentity? {
        guard eventLoop.inEventLoop else { return nil }
        return (try? pipeline.syncOperations.handler(type: TLSHandler.self))?.peerIdentity
    }
}

extension SocketAddress {
    /// Of the other side, for people: `192.0.2.1:55000`, or `unix`.
    var peerText: String {
        guard let host = ipAddress else { return "unix" }
        let port = port ?? 0
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
