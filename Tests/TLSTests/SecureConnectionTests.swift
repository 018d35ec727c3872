// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Testing

@testable import Socket
@testable import TLS

/// Says nothing by itself.
private final class Silence: ConnectionHandler {
    func identified(_ connection: Connection) -> Bool { true }
    func received(_ bytes: ByteSlice, on connection: Connection) {}
    func produceOutput(for connection: Connection) {}
    func tick(nowNs: UInt64, on connection: Connection) {}
    func closed(_ connection: Connection) {}
}

/// A connection of ours, and the client at its other end.
private final class Secured {
    let connection: Connection
    private let far: Int32
    private let client: TLSSession
    private let pair: SelfSigned
    private(set) var heardCount = 0

    init() throws {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
        try #require(unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0)
        far = ends[1]
        pair = try SelfSigned("localhost", names: ["DNS:localhost"])
        var settings = TLSSettings()
        settings.certificateFile = pair.certificate
        settings.keyFile = pair.key
        let acceptor = TLSAcceptor(
            TLSSource(try TLSContext(settings), handshakeTimeoutNs: 10_000_000_000),
            protocols: [.http2], isProtocolRequired: true, counters: Counters(),
            noteFailure: { _ in })
        connection = Connection(
            FileDescriptor(owning: ends[0]), from: .local, slot: 0,
            transport: SecureTransport(acceptor, scratch: ReadBuffer(), nowNs: Clock.monotonicNs))
        connection.attach(Silence())
        client = try TLSSession(
            client: TLSClientContext(
                authorityFile: pair.certificate, certificateFile: "", keyFile: "",
                serverName: "localhost", protocols: [.http2], versionMin: .tls12))
    }

    deinit { _ = close(far) }

    func shakeHands() throws {
        while client.outputCount > 0 {
            for piece in Conversation.take(from: client) {
                unsafe piece.withUnsafeBytes { connection.received(unsafe ByteSlice($0)) }
            }
            _ = connection.flush()
            try read()
        }
        try #require(connection.isEstablished)
    }

    /// Lets the client take what has been sent.
    func read() throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe recv(far, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            heardCount += try Conversation.give(Array(buffer.prefix(count)), to: client).count
        }
    }

    func say(_ count: Int) {
        let bytes = [UInt8](repeating: 7, count: count)
        unsafe bytes.withUnsafeBytes { connection.send(unsafe ByteSlice($0)) }
    }

    var clientState: TLSSession.State { client.state }
}

// Goal: a connection whose goodbye is on its way ends, whatever is said on it afterwards. Method: a
// client that reads only when it is told to.

@Suite struct SecureConnectionTests {
    @Test func nothingGoesBehindTheGoodbye() throws {
        let secured = try Secured()
        try secured.shakeHands()
        var saidCount = 0
        repeat {
            secured.say(TLSSession.recordSizeBytesMax)
            saidCount += TLSSession.recordSizeBytesMax
        } while !secured.connection.flush()
        secured.connection.finish()
        #expect(secured.connection.flush(), "the goodbye waits")
        secured.say(1)
        try secured.read()
        #expect(!secured.connection.flush())
        try secured.read()
        #expect(secured.heardCount == saidCount)
        #expect(secured.clientState == .ended)
        #expect(secured.connection.state == .lingering)
    }
}
