// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What the requests of one connection of OTLP/HTTP have in common.
struct OTLPConnection: Sendable {
    /// Who it is of: behind a proxy, who that said.
    let peer: PeerAddress
    /// What its certificate proves; nil without one.
    let certificate: PeerIdentity?
    /// What it may have its event loop make of its requests.
    let work: WorkAllowance
    /// How many small pieces of bodies it may send over time: each costs as much as a large one.
    let smallPieces: RateLimit

    init(
        _ limits: HTTPLimits, _ peer: PeerAddress, certificate: PeerIdentity? = nil
    ) {
        self.peer = peer
        self.certificate = certificate
        work = WorkAllowance()
        smallPieces = RateLimit(
            perSecond: limits.smallPiecesPerSecond, burst: limits.smallPiecesBurst)
    }
}
