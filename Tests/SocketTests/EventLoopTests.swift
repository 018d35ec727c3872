// SPDX-License-Identifier: Apache-2.0
import Base
import Socket
import Synchronization
import Testing

/// Sends back what it receives, and stops the loop when its last connection is gone.
private final class EchoServer: EventLoopClient, ConnectionHandler {
    private(set) var acceptedCount = 0
    private(set) var peers: [PeerAddress] = []
    private let expectedCount: Int
    private var closedCount = 0
    private var loop: EventLoop?

    init(expectedConnectionCount: Int) { expectedCount = expectedConnectionCount }

    func accepted(by loop: EventLoop, from peer: PeerAddress) -> (any ConnectionHandler)? {
        acceptedCount += 1
        self.loop = loop
        return self
    }

    func acceptingFailed(_ error: SystemError) {}

    func identified(_ connection: Connection) -> Bool {
        peers.append(connection.peer)
        return true
    }

    func turn(of loop: EventLoop) {}
    func tick(nowNs: UInt64, of loop: EventLoop) {}

    func received(_ bytes: ByteSlice, on connection: Connection) { connection.send(bytes) }
    func produceOutput(for connection: Connection) {}
    func tick(nowNs: UInt64, on connection: Connection) {}

    func closed(_ connection: Connection) {
        closedCount += 1
        if closedCount == expectedCount { loop?.stop() }
    }
}

@Suite struct EventLoopTests {
    /// Sends `bytes` and returns the echo.
    private func echo(_ bytes: [UInt8], through socket: borrowing DialedSocket) throws -> [UInt8] {
        let buffer = ReadBuffer()
        var echoed: [UInt8] = []
        var sentCount = 0
        while echoed.count < bytes.count {
            if sentCount < bytes.count {
                let size = min(50_000, bytes.count - sentCount)
                try unsafe bytes.withUnsafeBytes {
                    try socket.sendAll(
                        unsafe ByteSlice(
                            UnsafeRawBufferPointer(rebasing: $0[sentCount..<sentCount + size])))
                }
                sentCount += size
            }
            let count = try unsafe socket.receive(into: buffer.bytes, timeoutMs: 10_000)
            guard let count, count > 0 else { break }
            unsafe echoed.append(contentsOf: buffer.prefix(count).buffer)
        }
        return echoed
    }

    private func run(_ endpoint: Endpoint, connectionCount: Int) throws {
        let listener = try Listener(endpoint)
        let bound = listener.endpoint
        let server = EchoServer(expectedConnectionCount: connectionCount)
        let loop = try EventLoop()
        try loop.listen(listener)
        loop.client = server
        let clientThreads = ThreadBox()
        for index in 0..<connectionCount {
            clientThreads.start { [self] in
                let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* (index + 7)) }
                let isEqual = (try? echo(bytes, through: DialedSocket(to: bound))) == bytes
                if !isEqual { clientThreads.mismatch() }
            }
        }
        loop.run()
        clientThreads.join()
        #expect(clientThreads.mismatchCount == 0)
        #expect(server.acceptedCount == connectionCount)
    }

    @Test func echoesOverTCPOnAPortOfTheKernelsChoice() throws {
        try run(.tcp(host: "127.0.0.1", port: 0), connectionCount: 5)
    }

    @Test func echoesOverAUnixSocketAndReplacesAStaleOne() throws {
        let path = "/tmp/starling-test-\(UInt64.random(in: 0 ... .max)).sock"
        try run(.unix(path: path), connectionCount: 2)
        try run(.unix(path: path), connectionCount: 1)
    }

    @Test func aTakenPortIsAnErrorThatNamesIt() throws {
        let taken = try Listener(.unix(path: "/tmp/starling-\(UInt64.random(in: 0 ... .max)).sock"))
        let endpoint = taken.endpoint
        #expect {
            _ = try Listener(endpoint)
        } throws: { error in
            "\(error)".contains(endpoint.description)
        }
        withExtendedLifetime(taken) {}
    }

    @Test func wakingTurnsTheLoop() throws {
        final class Stopper: EventLoopClient {
            var turns = 0
            func accepted(
                by loop: EventLoop, from peer: PeerAddress
            ) -> (any ConnectionHandler)? { nil }
            func acceptingFailed(_ error: SystemError) {}
            func turn(of loop: EventLoop) {
                turns += 1
                loop.stop()
            }
            func tick(nowNs: UInt64, of loop: EventLoop) {}
        }
        let loop = try EventLoop()
        let stopper = Stopper()
        loop.client = stopper
        loop.wakeup.signal()
        loop.run()
        #expect(stopper.turns == 1)
    }
}

/// Client threads and what they found.
private final class ThreadBox: Sendable {
    private let threads = Mutex<[WorkerThread]>([])
    private let mismatches = Atomic<Int>(0)

    func start(_ body: @escaping @Sendable () -> Void) {
        let thread = WorkerThread(name: "client", body: body)
        threads.withLock { $0.append(thread) }
    }

    func join() {
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    func mismatch() { mismatches.add(1, ordering: .relaxed) }
    var mismatchCount: Int { mismatches.load(ordering: .relaxed) }
}
