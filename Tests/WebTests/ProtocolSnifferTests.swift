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

    init(isSecured: Bool = false) throws {
        let service = OTLPService(
            settings: ExportServerSettings(), receiver: FakeReceiver(budgetBytes: 1 << 20),
            lanes: ExportLanes(loop))
        channel = EmbeddedChannel(
            handler: ProtocolSniffer(service, .local, isSecured: isSecured), loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

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
        #expect(wire.ends(after: wire.limits.idleTime))
    }

    @Test func connectionsThatAreToEndBeforeTheySpoke() throws {
        let wire = try Wire()
        try wire.send("PRI")
        wire.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(!wire.channel.isActive)
    }
}
