// SPDX-License-Identifier: Apache-2.0
import Base
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Web

// Goal: whatever comes, in whatever pieces and at whatever time, has one answer, and no byte is
// held that is not reserved. Method: the handler in a channel without a socket, with a clock that
// the test moves and a receiver that keeps what it gets.

/// Keeps messages, and their replies for the test to give.
final class FakeReceiver: ExportReceiver, @unchecked Sendable {
    let budget: MemoryBudget
    let counters = Counters()
    let authenticator: any Authenticator = Doorkeeper()
    let laneCount = 1
    let retryDelayMs = 2_500
    var received: [(signal: Signal, encoding: ExportEncoding, isCompressed: Bool, body: [UInt8])] =
        []
    var replies: [@Sendable (Outcome) -> Void] = []
    var cancellations: [Cancellation] = []
    var identities: [Identity?] = []
    var acknowledged: [Signal] = []

    init(budgetBytes: Int) { budget = MemoryBudget(limitBytes: budgetBytes) }

    let expectsProxyHeader = false

    func admitsProxy(_ peer: PeerAddress) -> Bool { true }
    func proxyHeaderRefused(_ fault: ProxyHeaderFault) {}
    func connectionOpened(from peer: PeerAddress) -> Bool { true }
    func connectionClosed(from peer: PeerAddress) {}
    func turned(lane: Int) {}

    func receive(
        _ message: consuming ExportMessage, lane: Int, allowance: WorkAllowance,
        cancellation: Cancellation, reply: @escaping @Sendable (Outcome) -> Void
    ) {
        let body = unsafe Array(message.payload.slice.buffer)
        received.append((message.signal, message.encoding, message.isCompressed, body))
        identities.append(message.identity)
        replies.append(reply)
        cancellations.append(cancellation)
    }

    func acknowledged(_ signal: Signal, afterNs: UInt64, lane: Int) { acknowledged.append(signal) }
}

/// Lets everybody in, but for whoever has the token `no`.
struct Doorkeeper: Authenticator {
    static let identity = Identity(tokenID: 7, scopes: .ingest, tenant: "shop")

    func judge(
        _ credentials: Credentials, for access: Access, peer: () -> String
    ) -> AuthVerdict {
        switch credentials.token {
        case nil: .admitted(nil)
        case Array("no".utf8): .refused(.unknown)
        case Array("scope".utf8): .refused(.scope)
        case Array("later".utf8): .refused(.notReady)
        default: .admitted(Doorkeeper.identity)
        }
    }
}

/// Counts how often the socket would be read from.
final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = Never

    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}

/// A channel with a handler, and what came out of it.
private final class Harness {
    let channel: EmbeddedChannel
    let loop = EmbeddedEventLoop()
    let receiver: FakeReceiver
    let limits = HTTPLimits()
    let reads = ReadCounter()

    init(
        budgetBytes: Int = 1 << 20, sizeBytesMax: Int = 1 << 19,
        transport: ExportHandler.Transport = .http1
    ) throws {
        receiver = FakeReceiver(budgetBytes: budgetBytes)
        var settings = ExportServerSettings()
        settings.requestSizeBytesMax = sizeBytesMax
        let service = OTLPService(
            settings: settings, receiver: receiver, lanes: ExportLanes(loop))
        let handler = ExportHandler(
            service, OTLPConnection(limits, .local), transport: transport, loop: loop)
        channel = EmbeddedChannel(handlers: [reads, handler], loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func head(_ headers: HTTPHeaders = [:], version: HTTPVersion = .http1_1) throws {
        var fields: HTTPHeaders = ["content-type": "application/x-protobuf"]
        for (name, value) in headers { fields.replaceOrAdd(name: name, value: value) }
        try channel.writeInbound(
            HTTPServerRequestPart.head(
                HTTPRequestHead(version: version, method: .POST, uri: "/v1/logs", headers: fields)))
    }

    func body(_ bytes: [UInt8]) throws {
        try channel.writeInbound(HTTPServerRequestPart.body(ByteBuffer(bytes: bytes)))
    }

    func body(sizeBytes: Int) throws { try body([UInt8](repeating: 7, count: sizeBytes)) }

    func end() throws { try channel.writeInbound(HTTPServerRequestPart.end(nil)) }

    func reply(_ outcome: Outcome) {
        receiver.replies.removeFirst()(outcome)
        loop.run()
    }

    func advance(_ time: TimeAmount) { loop.advanceTime(by: time) }

    /// The next answer's head and body; nil when there is none.
    func answer() throws -> (head: HTTPResponseHead, body: [UInt8])? {
        guard let first = try channel.readOutbound(as: HTTPServerResponsePart.self) else {
            return nil
        }
        guard case .head(let head) = first else { throw Failure.order }
        if head.status == .continue { return (head, []) }
        var body: [UInt8] = []
        while let part = try channel.readOutbound(as: HTTPServerResponsePart.self) {
            switch part {
            case .body(.byteBuffer(let buffer)): body += Array(buffer.readableBytesView)
            case .end: return (head, body)
            default: throw Failure.order
            }
        }
        throw Failure.order
    }

    /// The status of the next answer.
    func status() throws -> UInt? { try answer()?.head.status.code }

    enum Failure: Error { case order }
}

@Suite struct ExportHandlerTests {
    @Test func bodiesInPieces() throws {
        let harness = try Harness()
        try harness.head(["content-encoding": "gzip"])
        #expect(harness.receiver.budget.inUseBytes == 0)
        for byte in UInt8(0)..<200 { try harness.body([byte]) }
        #expect(harness.receiver.budget.inUseBytes >= 200)
        #expect(harness.receiver.received.isEmpty)
        try harness.end()
        let message = try #require(harness.receiver.received.first)
        #expect(message.signal == .logs && message.encoding == .protobuf && message.isCompressed)
        #expect(message.body == Array(0..<200))
        #expect(harness.receiver.budget.inUseBytes == 0)
        #expect(try harness.answer() == nil)
        harness.reply(.accepted)
        let answer = try #require(try harness.answer())
        #expect(answer.head.status == .ok && answer.body.isEmpty)
        #expect(answer.head.headers["content-type"] == ["application/x-protobuf"])
        #expect(answer.head.headers["content-length"] == ["0"])
        #expect(answer.head.headers["connection"].isEmpty)
        #expect(harness.receiver.acknowledged == [.logs])
        #expect(harness.receiver.counters[.requestsAccepted] == 1)
    }

    @Test(arguments: [ExportHandler.Transport.http1, .http2])
    func bodiesInTooManySmallPiecesAreGivenUp(transport: ExportHandler.Transport) throws {
        let harness = try Harness(transport: transport)
        try harness.head(["transfer-encoding": "chunked"])
        var pieceCount = 0
        var answer: (head: HTTPResponseHead, body: [UInt8])?
        while answer == nil, pieceCount < 500_000 {
            try harness.body(sizeBytes: harness.limits.smallPieceSizeBytes - 1)
            pieceCount += 1
            answer = try harness.answer()
        }
        #expect(answer?.head.status == .serviceUnavailable)
        #expect(answer?.head.headers["retry-after"] == ["1"])
        // The first piece is free.
        #expect(pieceCount > harness.limits.smallPiecesBurst + 1)
        #expect(harness.receiver.counters[.abortedForSmallPieces] == 1)
        let readCount = harness.reads.count
        harness.channel.read()
        #expect(harness.reads.count == readCount, "what still comes costs nothing")
        harness.advance(harness.limits.lingerTime)
        #expect(!harness.channel.isActive)
        #expect(harness.receiver.counters[.requestsRetry] == 1)
        #expect(harness.receiver.budget.inUseBytes == 0)
    }

    @Test func piecesThatAreNotSmallAreNotCounted() throws {
        let harness = try Harness()
        try harness.head(["transfer-encoding": "chunked"])
        for _ in 0..<4 * harness.limits.smallPiecesBurst {
            try harness.body(sizeBytes: harness.limits.smallPieceSizeBytes)
        }
        #expect(try harness.answer() == nil)
        let readCount = harness.reads.count
        harness.channel.read()
        #expect(harness.reads.count == readCount + 1)
        try harness.end()
        #expect(harness.receiver.received.count == 1)
    }

    @Test func outcomesOfEarlierRequestsAreNobodys() throws {
        let harness = try Harness()
        for number in 1...3 {
            try harness.head()
            try harness.end()
            let stale = harness.receiver.replies[0]
            harness.reply(.accepted)
            #expect(try harness.status() == 200)
            stale(.accepted)
            harness.loop.run()
            #expect(try harness.answer() == nil)
            #expect(harness.receiver.counters[.answersWithoutStream] == number)
        }
    }

    @Test func sizeLimitOnBothSides() throws {
        let limit = 300_000
        for (sizeBytes, isTaken) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            let harness = try Harness(sizeBytesMax: limit)
            try harness.head(["transfer-encoding": "chunked"])
            for start in stride(from: 0, to: sizeBytes, by: 64_000) {
                try harness.body(sizeBytes: min(64_000, sizeBytes - start))
            }
            #expect(try harness.status() == (isTaken ? nil : 413))
            try harness.end()
            #expect(harness.receiver.received.count == (isTaken ? 1 : 0))
            #expect(harness.channel.isActive == isTaken)
            #expect(harness.receiver.budget.inUseBytes == 0)
        }
    }

    @Test func announcedSizeIsJudgedBeforeTheBody() throws {
        let harness = try Harness(sizeBytesMax: 100_000)
        try harness.head(["content-length": "100001"])
        let answer = try #require(try harness.answer())
        #expect(answer.head.status == .payloadTooLarge)
        #expect(answer.head.headers["connection"] == ["close"])
        #expect(harness.receiver.counters[.requestsRefused] == 1)
    }

    @Test func smallBodiesOfRefusedRequestsAreReadToTheirEnd() throws {
        let harness = try Harness()
        try harness.head(["content-type": "text/plain", "content-length": "65536"])
        try harness.body(sizeBytes: 65_536)
        #expect(try harness.answer() == nil)
        try harness.end()
        #expect(try harness.status() == 415)
        #expect(harness.channel.isActive)
        try harness.head(["content-type": "text/plain", "transfer-encoding": "chunked"])
        try harness.body(sizeBytes: 65_537)
        #expect(try harness.status() == 415)
        #expect(harness.channel.isActive)
        harness.advance(harness.limits.lingerTime)
        #expect(!harness.channel.isActive)
    }

    @Test func connectionsEndWhenTheClientWantsThat() throws {
        for (headers, version, isKept) in [
            (HTTPHeaders(), HTTPVersion.http1_1, true), (["connection": "close"], .http1_1, false),
            (HTTPHeaders(), .http1_0, false), (["connection": "keep-alive"], .http1_0, true),
        ] {
            let harness = try Harness()
            try harness.head(headers, version: version)
            try harness.end()
            harness.reply(.accepted)
            #expect(try harness.answer()?.head.headers["connection"] == (isKept ? [] : ["close"]))
            #expect(harness.channel.isActive == isKept)
        }
    }

    @Test func whoMayNotComeInIsToldBeforeTheBody() throws {
        for (token, status, challenge, counter) in [
            ("no", 401, "Bearer error=\"invalid_token\"", Counter.requestsRefused),
            ("scope", 403, "Bearer error=\"insufficient_scope\"", .requestsRefused),
            ("later", 503, nil, .requestsRetry),
        ] {
            let harness = try Harness()
            try harness.head([
                "Authorization": "Bearer \(token)", "expect": "100-continue",
                "content-length": "100",
            ])
            let answer = try #require(try harness.answer())
            #expect(answer.head.status.code == UInt(status))
            #expect(answer.head.headers["www-authenticate"] == (challenge.map { [$0] } ?? []))
            #expect(answer.head.headers["retry-after"] == (status == 503 ? ["3"] : []))
            #expect(harness.receiver.counters[counter] == 1)
        }
    }

    @Test func messagesSayWhoSentThem() throws {
        let harness = try Harness()
        for (headers, identity) in [
            (["x-api-key": "yes"] as HTTPHeaders, Doorkeeper.identity), ([:], nil),
        ] {
            try harness.head(headers)
            try harness.end()
            #expect(harness.receiver.identities.removeLast() === identity)
            harness.reply(.accepted)
            #expect(try harness.status() == 200)
        }
    }

    @Test func aClientThatGoesCancels() throws {
        let harness = try Harness()
        try harness.head()
        try harness.body(sizeBytes: 100)
        try harness.end()
        #expect(!harness.receiver.cancellations[0].isCancelled)
        _ = harness.channel.close()
        harness.loop.run()
        #expect(harness.receiver.cancellations[0].isCancelled)
        harness.reply(.accepted)
        #expect(harness.receiver.counters[.answersWithoutStream] == 1)
    }

    @Test func aClientThatGoesInItsBodyLeavesNothing() throws {
        let harness = try Harness()
        try harness.head()
        try harness.body(sizeBytes: 100_000)
        #expect(harness.receiver.budget.inUseBytes >= 100_000)
        _ = harness.channel.close()
        harness.loop.run()
        #expect(harness.receiver.budget.inUseBytes == 0)
    }
}

@Suite struct ExportHandlerTimeTests {
    @Test func idleConnectionsEnd() throws {
        let harness = try Harness()
        harness.advance(harness.limits.idleTime - .nanoseconds(1))
        #expect(harness.channel.isActive)
        harness.advance(.nanoseconds(1))
        #expect(!harness.channel.isActive)
    }

    @Test func idleTimeBeginsAnewBehindAnAnswer() throws {
        let harness = try Harness()
        harness.advance(.seconds(59))
        try harness.head()
        try harness.end()
        harness.advance(.seconds(20))
        harness.reply(.accepted)
        #expect(try harness.status() == 200)
        harness.advance(harness.limits.idleTime - .nanoseconds(1))
        #expect(harness.channel.isActive)
        harness.advance(.nanoseconds(1))
        #expect(!harness.channel.isActive)
    }

    @Test func slowBodiesAreToldToComeBack() throws {
        let harness = try Harness()
        try harness.head(["content-length": "10"])
        for _ in 0..<2 {
            harness.advance(harness.limits.bodyPauseTime - .nanoseconds(1))
            try harness.body([1])
        }
        #expect(try harness.answer() == nil)
        harness.advance(harness.limits.bodyPauseTime)
        let answer = try #require(try harness.answer())
        #expect(answer.head.status == .serviceUnavailable)
        #expect(answer.head.headers["retry-after"] == ["1"])
        harness.advance(harness.limits.lingerTime)
        #expect(!harness.channel.isActive)
    }

    @Test func bodiesThatDripForeverEndAtTheDeadline() throws {
        let harness = try Harness()
        try harness.head(["content-length": "1000"])
        for _ in 0..<29 {
            harness.advance(.seconds(1))
            try harness.body([1])
        }
        #expect(try harness.answer() == nil)
        harness.advance(.seconds(1))
        #expect(try harness.status() == 504)
        #expect(harness.receiver.budget.inUseBytes == 0)
    }

    @Test func outcomesThatDoNotCome() throws {
        let harness = try Harness()
        try harness.head()
        try harness.end()
        harness.advance(.seconds(30))
        #expect(try harness.status() == 504)
        #expect(harness.receiver.cancellations[0].isCancelled)
        #expect(harness.receiver.counters[.requestsExpired] == 1)
        #expect(harness.channel.isActive)
    }

    @Test func whileMemoryIsShortNothingIsRead() throws {
        let harness = try Harness(budgetBytes: 1_000_000)
        let held = OwnedHold(harness.receiver.budget, 740_000)
        try harness.head()
        try harness.body(sizeBytes: 100_000)
        harness.advance(.milliseconds(900))
        #expect(try harness.answer() == nil)
        held.release()
        harness.advance(.milliseconds(200))
        #expect(try harness.answer() == nil)
        try harness.end()
        #expect(harness.receiver.received.first?.body.count == 100_000)
    }

    /// What a stream is not read for waits where nobody counts it.
    @Test func whileMemoryIsShortStreamsAreToldToComeBackAtOnce() throws {
        let harness = try Harness(budgetBytes: 1_000_000, transport: .http2)
        let held = OwnedHold(harness.receiver.budget, 740_000)
        try harness.head()
        try harness.body(sizeBytes: 100_000)
        #expect(try harness.status() == 503)
        #expect(harness.receiver.budget.inUseBytes == 740_000)
        let readCount = harness.reads.count
        harness.channel.read()
        #expect(harness.reads.count == readCount + 1, "the rest is read, and thrown away")
        held.release()
    }

    @Test func whenMemoryStaysShortTheClientIsToldToComeBack() throws {
        let harness = try Harness(budgetBytes: 1_000_000)
        let held = OwnedHold(harness.receiver.budget, 740_000)
        try harness.head()
        try harness.body(sizeBytes: 100_000)
        harness.advance(.milliseconds(1_100))
        let answer = try #require(try harness.answer())
        #expect(answer.head.status == .serviceUnavailable)
        #expect(answer.head.headers["retry-after"] == ["3"])
        #expect(harness.receiver.budget.inUseBytes == 740_000)
        #expect(harness.receiver.counters[.requestsRetry] == 1)
        held.release()
    }

    @Test func whatDoesNotFitIsRefusedAtOnce() throws {
        let harness = try Harness(budgetBytes: 1_000_000)
        let held = OwnedHold(harness.receiver.budget, 950_000)
        try harness.head()
        try harness.body(sizeBytes: 60_000)
        #expect(try harness.status() == 503)
        held.release()
    }

    @Test func whoAsksFirstIsSparedTheBody() throws {
        let harness = try Harness(budgetBytes: 1_000_000)
        try harness.head(["expect": "100-continue", "content-length": "5"])
        #expect(try harness.status() == 100)
        try harness.body([1, 2, 3, 4, 5])
        try harness.end()
        harness.reply(.accepted)
        #expect(try harness.status() == 200)
        let held = OwnedHold(harness.receiver.budget, 900_000)
        try harness.head(["expect": "100-continue", "content-length": "5"])
        #expect(try harness.status() == 503)
        held.release()
    }
}

/// Bytes of a budget that somebody else has.
private struct OwnedHold {
    private let budget: MemoryBudget
    private let bytes: Int

    init(_ budget: MemoryBudget, _ bytes: Int) {
        self.budget = budget
        self.bytes = bytes
        #expect(budget.tryReserve(bytes))
    }

    func release() { budget.release(bytes) }
}
