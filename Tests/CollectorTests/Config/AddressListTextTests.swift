// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

// Goal: a list of proxies means what its writer thinks it does; a slip is an error with a remedy.

@Suite struct AddressListTextTests {
    private static let list = "10.0.0.0/8, 192.0.2.7, fd00::/8, ::1, unix"

    @Test(
        arguments: [
            (.ipv4(0x0aff_ffff, port: 1), true), (.ipv4(0x0b00_0000, port: 1), false),
            (.ipv4(0xc000_0207, port: 1), true), (.ipv4(0xc000_0208, port: 1), false),
            (.ipv6(high: 0xfdff << 48, low: 3, port: 1), true),
            (.ipv6(high: 0xfe00 << 48, low: 3, port: 1), false),
            (.ipv6(high: 0, low: 1, port: 1), true), (.ipv6(high: 0, low: 2, port: 1), false),
            (.local, true),
        ] as [(PeerAddress, Bool)])
    func contains(peer: PeerAddress, isIn: Bool) throws {
        #expect(try AddressList.parse(Self.list).contains(peer) == isIn)
    }

    @Test(arguments: [list, "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "unix", ""])
    func textIsReadBack(text: String) throws {
        let list = try AddressList.parse(text)
        #expect(try AddressList.parse(list.text) == list)
    }

    @Test func nothingIsNobody() throws {
        #expect(try AddressList.parse("").contains(.local) == false)
    }

    @Test(arguments: [
        "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.1/8", "::1/129", "10.0.0",
        "fd00::1/8", "[::1]", "10.0.0.1:4317", "10.0.0.0 10.0.0.1",
    ])
    func wrongLists(text: String) {
        #expect(throws: ValueFault.self) { try AddressList.parse(text) }
    }
}

@Suite struct SwitchAndModeTests {
    @Test(arguments: ["yes", "TRUE", "1", "", " true"])
    func onlyTrueAndFalseAreSwitches(text: String) {
        #expect(throws: ValueFault.self) { try ValueFormat<Bool>.truth.parse(text) }
    }

    @Test(arguments: [("0600", 0o600), ("0660", 0o660), ("0777", 0o777), ("00600", 0o600)])
    func modes(text: String, mode: Int) throws {
        #expect(try ValueFormat<Int>.fileMode.parse(text) == mode)
    }

    // 660 would be read as a decimal number by whoever is careless; 01000 is the sticky bit.
    @Test(arguments: ["660", "0o660", "0400", "01000", "0800", "", "rw-rw----", "-0660"])
    func wrongModes(text: String) {
        #expect(throws: ValueFault.self) { try ValueFormat<Int>.fileMode.parse(text) }
    }
}
