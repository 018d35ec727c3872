// SPDX-License-Identifier: Apache-2.0
import Base
import NIOCore
import Testing

@testable import Web

// Goal: who connects through NIO is the same one as through our own listener. Method: a table.

@Suite struct PeerAddressTests {
    @Test(
        arguments: [
            ("192.0.2.1", "192.0.2.1:4318"), ("2001:db8::1", "[2001:db8::1]:4318"),
            ("::ffff:192.0.2.1", "192.0.2.1:4318"), ("::1", "[::1]:4318"),
        ])
    func addresses(text: String, expected: String) throws {
        let address = try SocketAddress(ipAddress: text, port: 4_318)
        #expect(PeerAddress(address).description == expected)
    }

    @Test func unixSocketsHaveNone() throws {
        #expect(PeerAddress(try SocketAddress(unixDomainSocketPath: "/run/otlp.sock")) == .local)
        #expect(PeerAddress(nil as SocketAddress?) == .local)
    }
}
