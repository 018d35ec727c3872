// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

/// Goal: one client is one source, whichever way it comes, and is shown as people write it.
@Suite struct PeerAddressTests {
    private static let documentation: UInt64 = 0x2001_0db8_0000_0000

    @Test(arguments: [
        (PeerAddress.ipv4(0xc000_0201, port: 4317), "192.0.2.1:4317"),
        (.ipv6(high: 0, low: 0xffff_c000_0201, port: 1), "192.0.2.1:1"),
        (.ipv6(high: 0, low: 1, port: 2), "[::1]:2"),
        (.ipv6(high: 0, low: 0, port: 2), "[::]:2"),
        (.ipv6(high: documentation, low: 1, port: 3), "[2001:db8::1]:3"),
        // Of two runs of zeros the longer one is left out, of equal ones the first.
        (.ipv6(high: documentation, low: 1 << 48 | 1, port: 3), "[2001:db8::1:0:0:1]:3"),
        (.ipv6(high: 1 << 48, low: 1 << 48 | 1, port: 3), "[1::1:0:0:1]:3"),
        (.ipv6(high: 0x0001_0000_0002_0003, low: .max, port: 3), "[1:0:2:3:ffff:ffff:ffff:ffff]:3"),
        (.ipv6(high: 1 << 48, low: 0, port: 3), "[1::]:3"),
        (.local, "local"),
    ])
    func text(address: PeerAddress, expected: String) {
        #expect(address.description == expected)
    }

    @Test func ofIPv6TheFirst64BitsAreOneSource() {
        let first = PeerAddress.ipv6(high: 7, low: 1, port: 1)
        #expect(first.source == PeerAddress.ipv6(high: 7, low: .max, port: 2).source)
        #expect(first.source != PeerAddress.ipv6(high: 8, low: 1, port: 1).source)
    }

    @Test func eachIPv4AddressIsASourceHoweverItArrives() {
        let direct = PeerAddress.ipv4(0x0a00_0001, port: 1)
        let mapped = PeerAddress.ipv6(high: 0, low: 0xffff_0a00_0001, port: 2)
        #expect(direct.source == mapped.source)
        #expect(direct.source != PeerAddress.ipv4(0x0a00_0002, port: 1).source)
    }

    @Test(arguments: [
        (0, true), (96, true), (96 + 8, true), (96 + 30, true), (96 + 31, false), (128, false),
    ])
    func prefix(length: Int, isWithin: Bool) {
        let network = PeerAddress.ipv4(0x0a00_0001, port: 0)
        let peer = PeerAddress.ipv4(0x0a00_0003, port: 9)
        #expect(peer.isWithin(network, prefixLength: length) == isWithin)
    }

    @Test(arguments: [(0, true), (63, true), (64, false), (65, false), (128, false)])
    func prefixAroundTheMiddle(length: Int, isWithin: Bool) {
        let network = PeerAddress.ipv6(high: 2, low: 0, port: 0)
        let peer = PeerAddress.ipv6(high: 3, low: 0, port: 0)
        #expect(peer.isWithin(network, prefixLength: length) == isWithin)
    }

    @Test func aLocalPeerIsWithinNoNetwork() {
        #expect(!PeerAddress.local.isWithin(.ipv4(0, port: 0), prefixLength: 0))
        #expect(PeerAddress.local.isWithin(.local, prefixLength: 128))
    }
}
