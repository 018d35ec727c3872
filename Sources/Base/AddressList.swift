// SPDX-License-Identifier: Apache-2.0

/// A list of networks, and of nothing that is in none of them.
package struct AddressList: Sendable, Equatable {
    package struct Network: Sendable, Equatable {
        package let address: PeerAddress
        /// Of the 128 bits of an address; an IPv4 network has 96 more than people write.
        package let prefixLength: Int

        package init(address: PeerAddress, prefixLength: Int) {
            self.address = address
            self.prefixLength = prefixLength
        }
    }

    package let networks: [Network]

    package init(_ networks: [Network]) { self.networks = networks }

    package var isEmpty: Bool { networks.isEmpty }

    /// Cost: linear in the number of networks.
    package func contains(_ peer: PeerAddress) -> Bool {
        networks.contains { peer.isWithin($0.address, prefixLength: $0.prefixLength) }
    }
}
