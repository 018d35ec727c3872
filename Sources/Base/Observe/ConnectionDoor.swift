// SPDX-License-Identifier: Apache-2.0

/// Decides about connections by how many there are; counts and logs whom it turns away.
///
/// Thread: any.
package protocol ConnectionDoor: Sendable {
    /// Counts a connection in; false where there are too many, of all or of its address, and it
    /// must be closed.
    func connectionOpened(from peer: PeerAddress) -> Bool

    /// Counts out one that was counted in.
    func connectionClosed(from peer: PeerAddress)
}
