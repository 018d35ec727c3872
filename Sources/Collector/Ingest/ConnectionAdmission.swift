// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Synchronization

/// Counts the connections that are open on all loops of a listener together, and those of each
/// source.
///
/// Thread: any. Cost: an atomic add, and a lock held for one look-up, per connection. The table has
/// no more entries than there are connections.
final class ConnectionAdmission: Sendable {
    /// `limits.connections_max`.
    let countMax: Int
    /// `limits.connections_per_address_max`.
    let perSourceMax: Int
    private let totalCount = Atomic<Int>(0)
    private let counts = Mutex<[PeerAddress.Source: Int]>([:])

    init(countMax: Int, perSourceMax: Int) {
        self.countMax = countMax
        self.perSourceMax = perSourceMax
    }

    /// Connections that are open.
    var count: Int { totalCount.load(ordering: .relaxed) }

    /// Counts a connection of whomever; false, and counts none, where there are enough.
    func tryEnter() -> Bool {
        guard totalCount.add(1, ordering: .relaxed).newValue <= countMax else {
            totalCount.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    /// Counts it among those of its source as well. Who comes through a unix socket has none.
    func tryEnter(_ peer: PeerAddress) -> Bool {
        guard peer.kind == .ip else { return true }
        return counts.withLock { counts in
            let count = counts[peer.source, default: 0]
            guard count < perSourceMax else { return false }
            counts[peer.source] = count + 1
            return true
        }
    }

    /// Takes back what was counted; `source` where that was admitted.
    func leave(_ source: PeerAddress.Source?) {
        totalCount.subtract(1, ordering: .relaxed)
        guard let source else { return }
        counts.withLock { counts in
            guard let count = counts[source] else { return }
            counts[source] = count > 1 ? count - 1 : nil
        }
    }
}
