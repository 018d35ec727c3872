// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import NIOCore

/// What a handler knows of a request beside its head and its body.
struct PeerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
    }

    /// Where it comes from, for people: `192.0.2.1:55000`, or `unix`; empty where nobody knows.
    var peer: String { remoteAddress?.peerText ?? "" }
}

extension SocketAddress {
    /// Of the other side, for people: `192.0.2.1:55000`, or `unix`.
    var peerText: String {
        guard let host = ipAddress else { return "unix" }
        let port = port ?? 0
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
