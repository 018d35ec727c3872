// SPDX-License-Identifier: Apache-2.0
import Base
import NIOCore
import NIOEmbedded
import Testing

@testable import Web

// Goal: a connection that says nothing, or not enough, ends in time; one that speaks is served.
// Method: bytes into a channel without a socket, with a clock that the test moves.

private struct Wire {
    let channel: EmbeddedChannel
    let loop = EmbeddedEventLoop()
    let limits = HTTPLimits()
    let receiver = FakeReceiver(budgetBytes: 1 << 20)

    init(isSecured: Bool = false) throws {
        let service = OTLPService(
            settings: ExportServerSettings(), receiver: receiver, lanes: ExportLanes(loop))
        channel = EmbeddedChannel(
            handler: ProtocolSniffer(service, .local, isSecured: isSecured), loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    /// Begins HTTP/2, and sends `frames` in one piece behind that.
    func sendHTTP2(_ frames: [UInt8]...) throws {
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        try channel.writeInbound(
            ByteBuffer(
                bytes: preface + Wire.frame(type: 4, flags: 0, stream: 0, [])
                    + frames.flatMap { $0 }))
    }

    func send(frames: [UInt8]...) throws {
        try channel.writeInbound(ByteBuffer(bytes: frames.flatMap { $0 }))
    }

    /// A frame of HTTP/2 (RFC 9113 §4.1).
    static func frame(type: UInt8, flags: UInt8, stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [0, 0, UInt8(payload.count), type, flags, 0, 0, 0, stream] + payload
    }

    /// A request that is answered with 404: GET http://x/ (RFC 7541 A).
    static func request(stream: UInt8) -> [UInt8] {
        frame(type: 1, flags: 5, stream: stream, [0x82, 0x86, 0x84, 0x41, 1, 0x78])
    }

    /// How many frames of `type` were sent back, on `stream` where that is given.
    func answeredCount(type: UInt8, stream: UInt8? = nil) throws -> Int {
        var bytes: [UInt8] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            bytes += Array(part.readableBytesView)
        }
        var count = 0
        while bytes.count >= 9 {
            let length = Int(bytes[0]) << 16 | Int(bytes[1]) << 8 | Int(bytes[2])
            if bytes[3] == type, stream ?? bytes[8] == bytes[8] { count += 1 }
            bytes.removeFirst(min(bytes.count, 9 + length))
        }
        return count
    }

    /// Whether the connection lives for just `time`.
    func ends(after time: TimeAmount) -> Bool {
        loop.advanceTime(by: time - .nanoseconds(1))
        let wasActive = channel.isActive
        loop.advanceTime(by: .nanoseconds(1))
        return wasActive && !channel.isActive
    }

    /// What was sent back so far.
    func answer() throws -> String {
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: part)
        }
        return text
    }
}

@Suite struct ProtocolSnifferTests {
    @Test(arguments: ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n"])
    func whoDoesNotSayWhatItSpeaks(text: String) throws {
        let wire = try Wire()
        try wire.send(text)
        #expect(wire.ends(after: wire.limits.headTime))
    }

    // The handshake has a time of its own, which may be longer.
    @Test func whoIsSecuredFirstIsGivenTheTimeAfterwards() throws {
        let wire = try Wire(isSecured: true)
        wire.loop.advanceTime(by: wire.limits.headTime * 3)
        #expect(wire.channel.isActive)
        wire.channel.pipeline.fireUserInboundEventTriggered(
            ChannelSecured(applicationProtocol: nil, peerIdentity: nil))
        #expect(wire.ends(after: wire.limits.headTime))
    }

    @Test func headsThatDrip() throws {
        let wire = try Wire()
        try wire.send("POST /v1/logs HTTP/1.1\r\n")
        for _ in 0..<9 {
            wire.loop.advanceTime(by: .seconds(1))
            try wire.send("x: y\r\n")
        }
        #expect(wire.ends(after: .seconds(1)))
    }

    @Test func laterHeadsThatDrip() throws {
        let wire = try Wire()
        try wire.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        #expect(try wire.answer().hasPrefix("HTTP/1.1 404 Not Found\r\n"))
        wire.loop.advanceTime(by: .seconds(30))
        try wire.send("G")
        #expect(wire.ends(after: wire.limits.headTime))
    }

    @Test func connectionsWithoutAFirstStream() throws {
        let wire = try Wire()
        try wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        // The settings have been sent.
        #expect(try !wire.answer().isEmpty)
        #expect(wire.ends(after: wire.limits.idleTime + wire.limits.idleGraceTime))
    }

    @Test func connectionsThatAreToEndBeforeTheySpoke() throws {
        let wire = try Wire()
        try wire.send("PRI")
        wire.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(!wire.channel.isActive)
    }

    // Goal: whoever is asked to go, and does not, goes. Method: requests, then no sign of life.
    @Test func connectionsThatAreIdleAgain() throws {
        let wire = try Wire()
        try wire.sendHTTP2(Wire.request(stream: 1))
        for stream: UInt8 in [3, 5] {
            wire.loop.advanceTime(by: .seconds(30))
            try wire.send(frames: Wire.request(stream: stream))
        }
        #expect(try wire.answeredCount(type: 1) == 3)
        // Half a head says nothing.
        try wire.send(frames: Array(Wire.request(stream: 7).prefix(11)))
        #expect(wire.ends(after: wire.limits.idleTime + wire.limits.idleGraceTime))
        #expect(try wire.answeredCount(type: 7) > 0, "a GOAWAY came before")
    }

    // Goal: one bad request ends its stream and leaves the others. Method: a body that is shorter
    // than its head says, and a request behind it.
    @Test func aBadRequestEndsItsStreamOnly() throws {
        let wire = try Wire()
        let head: [UInt8] = [0x83, 0x86, 0x84, 0x41, 1, 0x78, 0x0f, 0x0d, 2, 0x31, 0x30]
        try wire.sendHTTP2(
            Wire.frame(type: 1, flags: 4, stream: 1, head),
            Wire.frame(type: 0, flags: 1, stream: 1, [1, 2, 3]))
        #expect(wire.channel.isActive)
        #expect(try wire.answeredCount(type: 3, stream: 1) == 1)
        try wire.send(frames: Wire.request(stream: 3))
        #expect(try wire.answeredCount(type: 1, stream: 3) == 1)
        #expect(wire.receiver.counters[.connectionsAborted] == 0)
    }

    // Goal: a connection that ends in the middle of a read leaves nothing in memory. Method: a
    // request, and behind it in the same read a window that is opened by nothing.
    @Test func whatEndsInAReadIsForgotten() throws {
        weak var channel: EmbeddedChannel?
        do {
            let wire = try Wire()
            channel = wire.channel
            try wire.sendHTTP2()
            // A socket does not complete a read that has closed it.
            let frames =
                Wire.request(stream: 1) + Wire.frame(type: 8, flags: 0, stream: 0, [0, 0, 0, 0])
            wire.channel.pipeline.fireChannelRead(ByteBuffer(bytes: frames))
            wire.loop.run()
            #expect(!wire.channel.isActive)
            #expect(wire.receiver.counters[.connectionsAborted] == 1)
        }
        #expect(channel == nil)
    }

    // The decoder takes nothing behind such a request; nobody may wait for what is sent there.
    @Test(arguments: [
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
    ])
    func whoWantsToSpeakSomethingElse(request: String) throws {
        let wire = try Wire()
        try wire.send(request)
        #expect(try wire.answer().contains("connection: close\r\n"))
        #expect(!wire.channel.isActive)
    }

    // Answers that are known at once are as much work as others. Method: one request more than may
    // come at once, in one piece and one by one.
    @Test func requestsInOneTurnAreBounded() throws {
        let wire = try Wire()
        let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        for _ in 0...wire.limits.unansweredCountMax { try wire.send(request) }
        #expect(wire.channel.isActive)
        try wire.send(String(repeating: request, count: wire.limits.unansweredCountMax))
        #expect(wire.channel.isActive)
        try wire.send(String(repeating: request, count: wire.limits.unansweredCountMax + 1))
        #expect(!wire.channel.isActive)
        #expect(wire.receiver.counters[.abortedForPipelining] == 1)
    }

    @Test func headsThatDripAreCounted() throws {
        let wire = try Wire()
        try wire.send("POST /v1/logs HTTP/1.1\r\n")
        #expect(wire.ends(after: wire.limits.headTime))
        #expect(wire.receiver.counters[.abortedForSlowHeaders] == 1)
        let silent = try Wire()
        #expect(silent.ends(after: silent.limits.headTime))
        #expect(silent.receiver.counters[.abortedForSlowHandshake] == 1)
    }
}
