// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

// Goal: the header gives the client's address and nothing of what follows it, however it is split;
// anything else is a fault that names what is wrong.

private let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

private func header(
    _ versionAndCommand: UInt8, _ transport: UInt8, _ rest: [UInt8]
) -> [UInt8] {
    signature + [versionAndCommand, transport, UInt8(rest.count >> 8), UInt8(rest.count & 0xff)]
        + rest
}

private func header(_ rest: [UInt8]) -> [UInt8] { header(0x21, 0x11, rest) }

/// 192.0.2.1:258 to 10.0.0.1:4317.
private let ipv4: [UInt8] = [192, 0, 2, 1, 10, 0, 0, 1, 1, 2, 0x10, 0xdd]
private let ipv6: [UInt8] =
    [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [7]
    + [UInt8](repeating: 0, count: 16) + [1, 2, 0x10, 0xdd]
private let local = [UInt8](repeating: 0, count: 216)

private func read(
    _ bytes: [UInt8], pieceSize: Int = .max
) throws -> (PeerAddress?, takenCount: Int)? {
    var reader = ProxyHeaderReader()
    var offset = 0
    while offset < bytes.count {
        let end = offset + min(pieceSize, bytes.count - offset)
        let progress = try unsafe bytes[offset..<end].withUnsafeBytes { buffer in
            try unsafe reader.append(ByteSlice(buffer))
        }
        if case .complete(let source, let takenCount) = progress {
            return (source, offset + takenCount)
        }
        offset = end
    }
    return nil
}

/// A header with a checksum field in the middle of others.
private func checked(isRight: Bool) -> [UInt8] {
    var bytes = header(0x21, 0x11, ipv4 + [4, 0, 2, 9, 9, 3, 0, 4, 0, 0, 0, 0, 5, 0, 0])
    let checksum = unsafe bytes.withUnsafeBytes { unsafe CRC32C.of(ByteSlice($0)) }
    for index in 0..<4 {
        bytes[36 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(24 - 8 * index))
    }
    if !isRight { bytes[17] ^= 1 }
    return bytes
}

@Suite struct ProxyHeaderTests {
    @Test(
        arguments: [
            (header(ipv4), "192.0.2.1:258"),
            (header(0x21, 0x21, ipv6), "[2001:db8::7]:258"),
            (header(0x21, 0x31, local), "local"),
            (header(ipv4 + [0xee, 0, 3, 1, 2, 3, 4, 0, 0]), "192.0.2.1:258"),
            (checked(isRight: true), "192.0.2.1:258"),
            // The proxy's own, whatever it says; and one that cannot say.
            (header(0x20, 0x11, ipv4), nil), (header(0x20, 0x00, []), nil),
            (header(0x20, 0x77, [1, 2, 3]), nil), (header(0x21, 0x00, [1, 2, 3]), nil),
        ] as [([UInt8], String?)], [1, 7, 16, 1_000])
    func taken(of header: ([UInt8], String?), pieceSize: Int) throws {
        let body: [UInt8] = Array("PRI * HTTP/2.0".utf8)
        let found = try read(header.0 + body, pieceSize: pieceSize)
        #expect(found?.0?.description == header.1)
        #expect(found?.takenCount == header.0.count)
    }

    @Test(
        arguments: [
            (Array("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".utf8), .isText),
            (Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8), .noHeader),
            ([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], .noHeader),
            (signature.dropLast() + [11], .noHeader),
            (header(0x11, 0x11, ipv4), .version(1)), (header(0x31, 0x11, ipv4), .version(3)),
            (header(0x22, 0x11, ipv4), .command(2)), (header(0x21, 0x12, ipv4), .transport(0x12)),
            (header(0x21, 0x41, ipv4), .transport(0x41)),
            (header(ipv4.dropLast()), .tooShort), (header(0x21, 0x21, ipv6.dropLast()), .tooShort),
            (header(0x21, 0x31, local.dropLast()), .tooShort), (header([]), .tooShort),
            (header(ipv4 + [4]), .field), (header(ipv4 + [4, 0, 1]), .field),
            (header(ipv4 + [3, 0, 3, 1, 1, 1]), .field),
            (checked(isRight: false), .checksum),
            (signature + [0x21, 0x11, 0x0f, 0xf1], .tooLong(sizeBytes: 4_097)),
        ] as [([UInt8], ProxyHeaderFault)], [1, 1_000])
    func refused(bytes: ([UInt8], ProxyHeaderFault), pieceSize: Int) {
        #expect(throws: bytes.1) { try read(bytes.0, pieceSize: pieceSize) }
    }

    @Test func theLongestHeaderIsTaken() throws {
        let size = ProxyHeaderReader.sizeBytesMax - 16 - ipv4.count - 3
        let field = [4, UInt8(size >> 8), UInt8(size & 0xff)] + [UInt8](repeating: 1, count: size)
        #expect(try read(header(ipv4 + field))?.takenCount == ProxyHeaderReader.sizeBytesMax)
    }

    @Test func partOfAHeaderIsNothingYet() throws {
        for count in 1..<28 { #expect(try read(Array(header(ipv4).prefix(count))) == nil) }
    }
}
