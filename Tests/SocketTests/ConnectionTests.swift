// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Testing

@testable import Socket

/// Sends as long as it is asked to.
private final class Talker: ConnectionHandler {
    private let text = [UInt8](repeating: 7, count: 1 << 16)
    private(set) var receivedCount = 0
    var isTalking = true

    func identified(_ connection: Connection) -> Bool { true }
    func received(_ bytes: ByteSlice, on connection: Connection) { receivedCount += bytes.count }

    func produceOutput(for connection: Connection) {
        while isTalking, connection.wantsOutput {
            unsafe text.withUnsafeBytes { connection.send(unsafe ByteSlice($0)) }
        }
    }

    func tick(nowNs: UInt64, on connection: Connection) {}
    func closed(_ connection: Connection) {}
}

/// Two ends of one stream; closes both.
private struct SocketPair: ~Copyable {
    let near: Int32
    let far: Int32

    init() {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
        let result = unsafe socketpair(AF_UNIX, kind, 0, &ends)
        precondition(result == 0)
        (near, far) = (ends[0], ends[1])
    }

    deinit { _ = close(far) }

    /// Takes what is there.
    func drain() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while unsafe recv(far, &buffer, buffer.count, 0) > 0 {}
    }
}

// Goal: a peer that takes nothing is given up after its time, one that takes something is not.

@Suite struct ConnectionTests {
    private func connection(
        _ pair: borrowing SocketPair, _ handler: Talker, expectsProxyHeader: Bool = false
    ) -> Connection {
        let connection = Connection(
            FileDescriptor(owning: pair.near), from: .local, slot: 0,
            expectsProxyHeader: expectsProxyHeader)
        connection.attach(handler)
        return connection
    }

    @Test func peerThatTakesNothingIsGivenUp() {
        let pair = SocketPair()
        let connection = connection(pair, Talker())
        #expect(connection.flush())
        let beganNs = Clock.monotonicNs
        connection.tick(nowNs: beganNs + Connection.writeStallNsMax - 1_000_000_000)
        #expect(connection.isOpen && connection.failure == nil)
        connection.tick(nowNs: beganNs + Connection.writeStallNsMax + 1)
        #expect(connection.failure == .writeStalled && !connection.isOpen)
    }

    @Test func peerThatTakesSomethingGetsItsTimeAnew() {
        let pair = SocketPair()
        let connection = connection(pair, Talker())
        #expect(connection.flush())
        let stoppedNs = Clock.monotonicNs
        pair.drain()
        #expect(connection.flush())
        // From the first stop on it would be too long.
        connection.tick(nowNs: stoppedNs + Connection.writeStallNsMax)
        #expect(connection.isOpen)
    }

    @Test func peerThatTookAllIsNotTimed() {
        let pair = SocketPair()
        let talker = Talker()
        let connection = connection(pair, talker)
        #expect(connection.flush())
        talker.isTalking = false
        while connection.flush() { pair.drain() }
        connection.tick(nowNs: Clock.monotonicNs + 2 * Connection.writeStallNsMax)
        #expect(connection.isOpen)
    }

    @Test func nothingIsSentBeforeTheProxyHeader() {
        let pair = SocketPair()
        let connection = connection(pair, Talker(), expectsProxyHeader: true)
        #expect(!connection.flush() && !connection.isEstablished)
        var byte: UInt8 = 0
        #expect(unsafe recv(pair.far, &byte, 1, 0) == -1)
        let nowNs = Clock.monotonicNs
        connection.tick(nowNs: nowNs + Connection.proxyHeaderNsMax - 1_000_000_000)
        #expect(connection.isOpen)
        connection.tick(nowNs: nowNs + Connection.proxyHeaderNsMax + 1_000_000_000)
        #expect(connection.failure == .proxyHeader(.timedOut))
    }
}
