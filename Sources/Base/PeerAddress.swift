// SPDX-License-Identifier: Apache-2.0

/// Who is at the other end of a connection: an address and a port, or a process of this machine.
///
/// A value of 18 bytes without references: copying it costs nothing. IPv4 is kept in the form in
/// which IPv6 sockets show it (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2), so that a client is the same
/// one whichever kind of socket it comes through.
package struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64
    package let port: UInt16
    package let kind: Kind

    package enum Kind: UInt8, Sendable {
        case ip
        /// Through a unix socket: there is no address.
        case local
    }

    private init(high: UInt64, low: UInt64, port: UInt16, kind: Kind) {
        self.high = high
        self.low = low
        self.port = port
        self.kind = kind
    }

    /// A process of this machine, behind a unix socket.
    package static let local = PeerAddress(high: 0, low: 0, port: 0, kind: .local)

    /// An IPv6 address, or an IPv4 one in its mapped form: 16 bytes in network order, as two
    /// numbers.
    package static func ipv6(high: UInt64, low: UInt64, port: UInt16) -> PeerAddress {
        PeerAddress(high: high, low: low, port: port, kind: .ip)
    }

    /// An IPv4 address; its first number is the most significant byte.
    package static func ipv4(_ address: UInt32, port: UInt16) -> PeerAddress {
        ipv6(high: 0, low: mappedPrefix | UInt64(address), port: port)
    }

    private static let mappedPrefix: UInt64 = 0xffff << 32

    /// The IPv4 address; nil where it is none.
    package var ipv4: UInt32? {
        kind == .ip && high == 0 && low >> 32 == 0xffff ? UInt32(truncatingIfNeeded: low) : nil
    }

    /// What counts as one source when connections are counted: an IPv4 address, or the 64 bits of
    /// IPv6 that one subscriber is given (RFC 6177 §2), within which it may change at will.
    package var source: Source {
        ipv4 == nil ? Source(high: high, low: 0) : Source(high: 0, low: low)
    }

    package struct Source: Sendable, Hashable {
        fileprivate let high: UInt64
        fileprivate let low: UInt64
    }

    /// Whether the first `prefixLength` bits of the 128 are those of `network`.
    package func isWithin(_ network: PeerAddress, prefixLength: Int) -> Bool {
        guard kind == .ip, network.kind == .ip else { return kind == network.kind }
        let mask = PeerAddress.mask(prefixLength: prefixLength)
        return (high ^ network.high) & mask.high == 0 && (low ^ network.low) & mask.low == 0
    }

    /// Whether all bits behind the first `prefixLength` are 0.
    package func isFirst(prefixLength: Int) -> Bool {
        let mask = PeerAddress.mask(prefixLength: prefixLength)
        return high & ~mask.high == 0 && low & ~mask.low == 0
    }

    private static func mask(prefixLength: Int) -> (high: UInt64, low: UInt64) {
        (
            prefixLength >= 64 ? .max : ~(.max >> UInt64(prefixLength)),
            prefixLength <= 64 ? 0 : ~(.max >> UInt64(prefixLength - 64))
        )
    }

    /// `192.0.2.1:4317`, `[2001:db8::1]:4317`, `local`.
    package var description: String {
        switch kind {
        case .local: "local"
        case .ip: ipv4 == nil ? "[\(hostText)]:\(port)" : "\(hostText):\(port)"
        }
    }

    /// The address alone, as people write it (RFC 5952).
    package var hostText: String {
        guard kind == .ip else { return "local" }
        if let ipv4 {
            let bytes: [UInt32] = [24, 16, 8, 0].map { ipv4 >> $0 & 0xff }
            return bytes.map { "\($0)" }.joined(separator: ".")
        }
        let groups: [UInt64] = (0..<8).map { index in
            let half = index < 4 ? high : low
            let shift = UInt64(48 - index % 4 * 16)
            return half >> shift & 0xffff
        }
        let zeros = PeerAddress.longestZeros(groups)
        let text: (ArraySlice<UInt64>) -> String = {
            $0.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard zeros.count > 1 else { return text(groups[...]) }
        return "\(text(groups[..<zeros.lowerBound]))::\(text(groups[zeros.upperBound...]))"
    }

    /// The first of the longest runs of zeros.
    private static func longestZeros(_ groups: [UInt64]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 { start = index + 1 }
            if index + 1 - start > longest.count { longest = start..<index + 1 }
        }
        return longest
    }
}
