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
    var peer: String {
        guard let remoteAddress, let host = remoteAddress.ipAddress else {
            return remoteAddress == nil ? "" : "unix"
        }
        let port = remoteAddress.port ?? 0
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
