// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging
internal import Socket
internal import Synchronization

/// Warns about connections that were not taken, so that whoever is turned away can find out why.
///
/// Anybody may connect as often as they like, so of each kind there is at most one line in ten
/// seconds, which says how many it stands for. Thread: any.
final class ConnectionLog: Sendable {
    private let logger: Logger
    private let kinds = Mutex<[Kind: (nextNs: UInt64, silentCount: Int)]>([:])

    private enum Kind: Hashable {
        case total, address, apiAddress, proxy, proxyHeader, accept
    }

    private static let pauseNs: UInt64 = 10_000_000_000

    init(_ logger: Logger) { self.logger = logger }

    func tooMany() {
        warn(.total) { "a connection was turned away: limits.connections_max are open" }
    }

    func tooMany(from peer: PeerAddress) {
        warn(.address) {
            "a connection from \(peer.hostText) was turned away: "
                + "limits.connections_per_address_max are open"
        }
    }

    func tooManyAtAPI(from peer: PeerAddress) {
        warn(.apiAddress) {
            "a connection of the API from \(peer.hostText) was turned away: "
                + "limits.api_connections_per_address_max are open"
        }
    }

    func untrustedProxy(_ peer: PeerAddress) {
        warn(.proxy) {
            "a connection from \(peer.hostText) was turned away: with listen.proxy_protocol only "
                + "listen.proxy_addresses may connect"
        }
    }

    func proxyHeader(_ fault: ProxyHeaderFault) {
        warn(.proxyHeader) {
            "a connection was ended: a PROXY header must come first (listen.proxy_protocol); "
                + "\(fault)"
        }
    }

    func acceptingFailed(_ error: SystemError) {
        warn(.accept) {
            "connections wait: \(error); raise LimitNOFILE or lower limits.connections_max"
        }
    }

    private func warn(_ kind: Kind, _ text: () -> String) {
        let nowNs = Clock.monotonicNs
        let silentCount: Int? = kinds.withLock { kinds in
            let (nextNs, silentCount) = kinds[kind, default: (0, 0)]
            guard nowNs >= nextNs else {
                kinds[kind] = (nextNs, silentCount + 1)
                return nil
            }
            kinds[kind] = (nowNs + ConnectionLog.pauseNs, 0)
            return silentCount
        }
        guard let silentCount else { return }
        logger.warning("\(text())", metadata: silentCount > 0 ? ["more": "\(silentCount)"] : [:])
    }
}
