// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux

/// How a list of networks is written: addresses with or without a prefix length, and `unix`, with
/// commas between them.
extension AddressList {
    /// Reads what an operator wrote. Never resolves a name.
    package static func parse(_ text: String) throws(ValueFault) -> AddressList {
        var networks: [Network] = []
        for part in text.split(separator: ",") {
            networks.append(try network(String(part.trimming(" "))))
        }
        return AddressList(networks)
    }

    private static func network(_ text: String) throws(ValueFault) -> Network {
        if text == "unix" { return Network(address: .local, prefixLength: 128) }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let (address, bits) = address(String(parts[0])) else {
            throw ValueFault(
                "\"\(text)\" is no address",
                remedy: "write addresses or networks such as 10.0.0.0/8, fd00::/8 or unix, with "
                    + "commas between them; names are not looked up")
        }
        guard parts.count == 2 else { return Network(address: address, prefixLength: 128) }
        guard let length = Int(parts[1]), (0...bits).contains(length) else {
            throw ValueFault(
                "the prefix length of \"\(text)\" is not a number from 0 to \(bits)",
                remedy: "write \(parts[0])/\(bits) for this one address")
        }
        let network = Network(address: address, prefixLength: 128 - bits + length)
        guard network.isExact else {
            throw ValueFault(
                "\"\(text)\" has bits set beyond its prefix length",
                remedy: "write the first address of the network, or \(parts[0])/\(bits)")
        }
        return network
    }

    /// The address, and how many bits are written of it.
    private static func address(_ text: String) -> (PeerAddress, bits: Int)? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            return (.ipv4(UInt32(number(bytes[..<4])), port: 0), 32)
        }
        guard unsafe inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        return (.ipv6(high: number(bytes[..<8]), low: number(bytes[8...]), port: 0), 128)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// As `parse` reads it back.
    package var text: String { networks.map(\.text).joined(separator: ", ") }
}

extension AddressList.Network {
    fileprivate var text: String {
        guard address.kind == .ip else { return "unix" }
        guard prefixLength < 128 else { return address.hostText }
        let isIPv4 = address.ipv4 != nil && prefixLength >= 96
        return "\(address.hostText)/\(isIPv4 ? prefixLength - 96 : prefixLength)"
    }

    /// No bit is set behind the prefix.
    fileprivate var isExact: Bool { address.isFirst(prefixLength: prefixLength) }
}

extension Substring {
    fileprivate func trimming(_ character: Character) -> Substring {
        let start = drop { $0 == character }
        guard let last = start.lastIndex(where: { $0 != character }) else { return "" }
        return start[...last]
    }
}
