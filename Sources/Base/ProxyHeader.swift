// SPDX-License-Identifier: Apache-2.0

/// Why what came before the first byte of a connection is no header of the PROXY protocol that we
/// take. The text is for the operator of the proxy.
package enum ProxyHeaderFault: Error, Equatable, CustomStringConvertible {
    /// A header of version 1, which is a line of text.
    case isText
    /// Something else altogether, such as HTTP/2 or TLS without a header.
    case noHeader
    case version(UInt8)
    case command(UInt8)
    /// A transport that is not a stream of TCP or of a unix socket.
    case transport(UInt8)
    case tooLong(sizeBytes: Int)
    /// The addresses do not fit into the header.
    case tooShort
    /// A field behind the addresses reaches beyond the header.
    case field
    case checksum
    /// The header did not come in time.
    case timedOut

    package var description: String {
        switch self {
        case .isText: "it is of version 1, which is not taken: let the proxy send version 2"
        case .noHeader: "there is none: let the proxy send one of version 2"
        case .version(let version): "its version is \(version), only 2 is taken"
        case .command(let command): "its command is \(command), only LOCAL and PROXY exist"
        case .transport(let transport):
            "its transport 0x\(String(transport, radix: 16)) is no stream"
        case .tooLong(let sizeBytes):
            "it has \(sizeBytes) bytes, more than \(ProxyHeaderReader.sizeBytesMax)"
        case .tooShort: "its addresses are cut off"
        case .field: "a field in it is longer than the header"
        case .checksum: "its checksum is wrong"
        case .timedOut: "it did not come in time"
        }
    }
}

/// Takes the header of the PROXY protocol, version 2, off the front of a connection, however it is
/// split (haproxy.org, "The PROXY protocol", 2.2).
///
/// A value; it keeps the bytes of the header until it is whole, at most `sizeBytesMax`.
package struct ProxyHeaderReader {
    /// Longest header, fields behind the addresses included. The protocol asks for 536 at least.
    package static let sizeBytesMax = 4_096

    private var bytes: [UInt8] = []

    package init() {}

    private static let signature: [UInt8] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ]
    /// Signature, version and command, transport, length.
    private static let fixedSizeBytes = 16

    package enum Progress: Equatable {
        /// All was taken, and more is needed.
        case incomplete
        /// The header is whole. `source` is nil where the connection is the proxy's own.
        case complete(source: PeerAddress?, takenCount: Int)
    }

    /// Takes what belongs to the header out of `input`.
    package mutating func append(_ input: ByteSlice) throws(ProxyHeaderFault) -> Progress {
        var takenCount = 0
        while true {
            let neededCount = try neededSizeBytes - bytes.count
            guard neededCount > 0 else { break }
            let count = min(neededCount, input.count - takenCount)
            guard count > 0 else { return .incomplete }
            unsafe bytes.append(contentsOf: input.slice(offset: takenCount, count: count).buffer)
            takenCount += count
            try checkSignature()
        }
        return .complete(source: try source(), takenCount: takenCount)
    }

    /// As far as is known: the fixed part first.
    private var neededSizeBytes: Int {
        get throws(ProxyHeaderFault) {
            guard bytes.count >= ProxyHeaderReader.fixedSizeBytes else {
                return ProxyHeaderReader.fixedSizeBytes
            }
            let sizeBytes =
                ProxyHeaderReader.fixedSizeBytes + Int(bytes[14]) << 8 + Int(bytes[15])
            guard sizeBytes <= ProxyHeaderReader.sizeBytesMax else {
                throw .tooLong(sizeBytes: sizeBytes)
            }
            return sizeBytes
        }
    }

    private func checkSignature() throws(ProxyHeaderFault) {
        let signature = ProxyHeaderReader.signature
        guard !signature.starts(with: bytes.prefix(signature.count)) else { return }
        // HTTP/2 and version 1 begin with the same two letters.
        guard "PROXY".utf8.starts(with: bytes.prefix(5)) else { throw .noHeader }
        if bytes.count >= 5 { throw .isText }
    }

    // MARK: The whole header

    private func source() throws(ProxyHeaderFault) -> PeerAddress? {
        guard bytes[12] >> 4 == 2 else { throw .version(bytes[12] >> 4) }
        let command = bytes[12] & 0xf
        guard command <= 1 else { throw .command(command) }
        // The connection is the proxy's own, or it does not say whose: whatever follows is skipped.
        guard command == 1, bytes[13] != 0 else { return nil }
        let (sizeBytes, source) = try addresses(transport: bytes[13])
        guard bytes.count >= ProxyHeaderReader.fixedSizeBytes + sizeBytes else { throw .tooShort }
        try checkFields(from: ProxyHeaderReader.fixedSizeBytes + sizeBytes)
        return source
    }

    /// The size of both addresses and ports, and the first of them.
    private func addresses(
        transport: UInt8
    ) throws(ProxyHeaderFault) -> (sizeBytes: Int, source: PeerAddress) {
        switch transport {
        case 0x11:
            guard bytes.count >= 28 else { throw .tooShort }
            return (
                12, .ipv4(UInt32(truncatingIfNeeded: number(at: 16, size: 4)), port: port(at: 24))
            )
        case 0x21:
            guard bytes.count >= 52 else { throw .tooShort }
            return (
                36,
                .ipv6(
                    high: number(at: 16, size: 8), low: number(at: 24, size: 8), port: port(at: 48))
            )
        case 0x31: return (216, .local)
        default: throw .transport(transport)
        }
    }

    /// Looks at every field (type, length of two bytes, value); all but the checksum are skipped.
    private func checkFields(from start: Int) throws(ProxyHeaderFault) {
        var offset = start
        while offset < bytes.count {
            guard bytes.count - offset >= 3 else { throw .field }
            let size = Int(number(at: offset + 1, size: 2))
            guard size <= bytes.count - offset - 3 else { throw .field }
            if bytes[offset] == ProxyHeaderReader.checksumField {
                try checkChecksum(at: offset + 3, size: size)
            }
            offset += 3 + size
        }
    }

    private static let checksumField: UInt8 = 0x03

    /// CRC32C of the header with zeros in the place of the checksum.
    private func checkChecksum(at offset: Int, size: Int) throws(ProxyHeaderFault) {
        guard size == 4 else { throw .field }
        var copy = bytes
        for index in offset..<offset + 4 { copy[index] = 0 }
        let checksum = unsafe copy.withUnsafeBytes { unsafe CRC32C.of(ByteSlice($0)) }
        guard number(at: offset, size: 4) == UInt64(checksum) else { throw .checksum }
    }

    private func port(at offset: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: number(at: offset, size: 2))
    }

    private func number(at offset: Int, size: Int) -> UInt64 {
        bytes[offset..<offset + size].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
