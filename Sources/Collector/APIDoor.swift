// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Keeps one address from taking all connections of a listener that serves questions.
///
/// How many there are of all is Hummingbird's to hold: it lets more wait. Thread: any.
final class APIDoor: ConnectionDoor {
    private let places: ConnectionAdmission
    private let counters: Counters
    private let log: ConnectionLog

    init(_ limits: Configuration.RequestLimits, counters: Counters, log: ConnectionLog) {
        places = ConnectionAdmission(
            countMax: .max, perSourceMax: limits.apiConnectionsPerAddressMax)
        self.counters = counters
        self.log = log
    }

    func connectionOpened(from peer: PeerAddress) -> Bool {
        guard places.tryEnter(peer) else {
            counters.add(.apiConnectionsRefusedByAddress)
            log.tooManyAtAPI(from: peer)
            return false
        }
        _ = places.tryEnter()
        return true
    }

    func connectionClosed(from peer: PeerAddress) {
        places.leave(peer.kind == .ip ? peer.source : nil)
    }
}
