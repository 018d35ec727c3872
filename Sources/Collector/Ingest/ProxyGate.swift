// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Who may say before a listener for whom it connects, and what is noted of others.
///
/// Thread: any.
struct ProxyGate: Sendable {
    /// Nil where nobody does.
    let proxies: AddressList?
    let counters: Counters
    let log: ConnectionLog

    /// Whether a header of the PROXY protocol has to come first.
    var isExpected: Bool { proxies != nil }

    /// Whether `peer` may connect: a proxy that is trusted, where one is expected.
    func admits(_ peer: PeerAddress) -> Bool {
        guard let proxies, !proxies.contains(peer) else { return true }
        counters.add(.connectionsRefusedNoProxy)
        log.untrustedProxy(peer)
        return false
    }

    /// Notes a connection that was ended for its header.
    func refused(_ fault: ProxyHeaderFault) {
        counters.add(.abortedForProxyHeader)
        log.proxyHeader(fault)
    }
}
