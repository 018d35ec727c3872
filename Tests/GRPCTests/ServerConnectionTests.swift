// SPDX-License-Identifier: Apache-2.0
import Base
import HTTP2
import Testing

@testable import GRPC

/// Answers each export with the next of the prepared outcomes, or leaves it pending.
private final class PreparedSink: ExportSink {
    var outcomes: [Outcome?]
    var received: [(signal: Signal, streamID: Int32, payload: [UInt8], isCompressed: Bool)] = []

    var abandoned: [Int32] = []
    var identities: [Identity?] = []

    init(_ outcomes: [Outcome?]) { self.outcomes = outcomes }

    func abandoned(streamID: Int32) { abandoned.append(streamID) }

    func received(
        _ message: consuming ExportMessage, streamID: Int32, from connection: ServerConnection
    ) -> Outcome? {
        let payload = unsafe Array(message.payload.slice.buffer)
        identities.append(message.identity)
        received.append((message.signal, streamID, payload, message.isCompressed))
        return outcomes.removeFirst()
    }
}

/// Says the same to everybody.
private final class FixedAuthenticator: Authenticator {
    private let verdict: AuthVerdict
    init(_ verdict: AuthVerdict) { self.verdict = verdict }
    func judge(
        _ credentials: Credentials, for access: Access, peer: () -> String
    ) -> AuthVerdict { access == .ingest ? verdict : .refused(.missing) }
}

/// A client and a server joined in memory.
private final class Pair {
    let client = ClientConnection(http2: HTTP2Settings(), authority: "test")
    let server: ServerConnection
    let counters = Counters()
    let sink: PreparedSink
    var answers: [ClientAnswer] = []

    init(
        _ outcomes: [Outcome?], settings: GRPCSettings = GRPCSettings(),
        budgetBytes: Int = 1 << 24, authenticator: (any Authenticator)? = nil
    ) {
        sink = PreparedSink(outcomes)
        server = ServerConnection(
            http2: HTTP2Settings(), settings: settings,
            budget: MemoryBudget(limitBytes: budgetBytes), counters: counters,
            authenticator: authenticator, retryHint: { 1_234 })
        server.sink = sink
    }

    func export(_ message: [UInt8], isCompressed: Bool = false, timeoutMs: Int = 10_000) {
        begin(message, isCompressed: isCompressed, timeoutMs: timeoutMs)
        exchange()
    }

    /// An export of which nothing has left the client yet.
    func begin(_ message: [UInt8], isCompressed: Bool = false, timeoutMs: Int = 10_000) {
        let framed = ClientConnection.frame(message, isCompressed: isCompressed)
        _ = client.export(
            .traces, framed: framed, isCompressed: isCompressed, timeoutMs: timeoutMs
        ) { [unowned self] in answers.append($0) }
    }

    /// What the client would send now.
    func clientOutput() throws(Session.Failure) -> [UInt8] {
        var output: [UInt8] = []
        while let bytes = try client.session.nextOutput() { unsafe output += bytes.buffer }
        return output
    }

    func deliverToServer(_ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { try unsafe server.session.receive(ByteSlice($0)) }
    }

    func deliverToClient() throws(Session.Failure) {
        while let bytes = try server.session.nextOutput() { try client.session.receive(bytes) }
    }

    /// Moves bytes both ways until neither side has any.
    func exchange() {
        do throws(Session.Failure) {
            var isMoving = true
            while isMoving {
                isMoving = false
                while let bytes = try client.session.nextOutput() {
                    try server.session.receive(bytes)
                    isMoving = true
                }
                while let bytes = try server.session.nextOutput() {
                    try client.session.receive(bytes)
                    isMoving = true
                }
            }
        } catch {
            Issue.record("\(error)")
        }
    }
}

@Suite struct ServerConnectionTests {
    @Test func anAcceptedExportIsAnsweredWithAnEmptyMessage() {
        let pair = Pair([.accepted])
        pair.export([1, 2, 3])
        #expect(pair.sink.received.map(\.payload) == [[1, 2, 3]])
        #expect(pair.answers.map(\.statusCode) == [0])
        #expect(pair.answers.map(\.body) == [[0, 0, 0, 0, 0]])
    }

    @Test(
        arguments: [
            (.refused(Refusal(.invalidArgument, "not protobuf")), 3),
            (.refused(Refusal(.tooLarge, "too large")), 8),
            (.refused(Refusal(.corruptEncoding, "not gzip")), 13),
            (.retry(afterMs: 1_500, message: "later"), 14), (.expired, 4),
            (.throttled(afterMs: 1_500, message: "too much"), 8),
        ] as [(Outcome, Int)])
    func outcomesBecomeStatuses(outcome: Outcome, code: Int) {
        let pair = Pair([outcome])
        pair.export([])
        #expect(pair.answers.map(\.statusCode) == [code])
        #expect(pair.answers.map(\.body) == [[]])
    }

    @Test(
        arguments: [
            (.missing, 16), (.malformed, 16), (.unknown, 16), (.expired, 16), (.revoked, 16),
            (.scope, 7), (.notReady, 14),
        ] as [(AuthFailure, Int)])
    func whoMayNotComeInHearsWhy(failure: AuthFailure, code: Int) {
        let pair = Pair([], authenticator: FixedAuthenticator(.refused(failure)))
        pair.export([UInt8](repeating: 1, count: 100_000))
        #expect(pair.answers.map(\.statusCode) == [code])
        #expect(pair.answers.map(\.body) == [[]])
        #expect(pair.sink.received.isEmpty)
        let counter: Counter = failure == .notReady ? .requestsRetry : .requestsRefused
        #expect(pair.counters[counter] == 1)
    }

    @Test func whoComesInIsKnownToTheSink() {
        let identity = Identity(tokenID: 7, scopes: .ingest, tenant: "acme")
        let pair = Pair([.accepted], authenticator: FixedAuthenticator(.admitted(identity)))
        pair.export([1])
        #expect(pair.answers.map(\.statusCode) == [0])
        #expect(pair.sink.identities.map { $0 === identity } == [true])
    }

    @Test func partialSuccessCarriesTheCount() {
        let pair = Pair([.partial(rejectedItemCount: 300, message: "bad ids")])
        pair.export([])
        #expect(pair.answers.map(\.statusCode) == [0])
        #expect(pair.answers.map { $0.rejection?.itemCount } == [300])
    }

    @Test func anOutcomeMayComeLaterAndInAnyOrder() {
        let pair = Pair([nil, nil])
        pair.export([1])
        pair.export([2])
        #expect(pair.answers.isEmpty)
        let streams = pair.sink.received.map(\.streamID)
        pair.server.answer(streamID: streams[1], with: .accepted)
        pair.server.answer(streamID: streams[0], with: .expired)
        pair.exchange()
        #expect(Set(pair.answers.map(\.statusCode)) == [0, 4])
    }

    @Test func anOutcomeForAGoneStreamIsCounted() {
        let pair = Pair([nil])
        pair.export([1])
        pair.server.session.abandonStreams()
        #expect(pair.sink.abandoned == pair.sink.received.map(\.streamID))
        pair.server.answer(streamID: pair.sink.received[0].streamID, with: .accepted)
        #expect(pair.counters[.answersWithoutStream] == 1)
    }

    @Test func aMessageOverTheLimitIsRefusedWithoutRetryAndTheNextCallWorks() {
        var settings = GRPCSettings()
        settings.messageSizeBytesMax = 100
        let pair = Pair([.accepted, .accepted], settings: settings)
        pair.export([UInt8](repeating: 0, count: 101))
        pair.export([UInt8](repeating: 0, count: 100))
        #expect(pair.answers.map(\.statusCode) == [8, 0])
        #expect(pair.sink.received.count == 1)
    }

    @Test func aBodyBeyondTheBudgetIsToldToRetry() {
        let pair = Pair([.accepted, .accepted], budgetBytes: 50_000)
        pair.export([UInt8](repeating: 1, count: 200_000))
        pair.export([1])
        #expect(pair.answers.map(\.statusCode) == [14, 0])
        #expect(pair.server.budget.inUseBytes == 0)
    }

    @Test func aPassedDeadlineIsAnsweredByTheTick() {
        let pair = Pair([nil])
        pair.export([1], timeoutMs: 50)
        pair.server.tick(nowNs: Clock.monotonicNs)
        pair.exchange()
        #expect(pair.answers.isEmpty)
        pair.server.tick(nowNs: Clock.monotonicNs + 1_000_000_000)
        pair.exchange()
        #expect(pair.answers.map(\.statusCode) == [4])
    }

    /// The time of a call runs from the begin of its head, whose end may come too late.
    @Test func aHeadThatTakesLongerThanACallMay() {
        var settings = GRPCSettings()
        settings.deadlineNs = 0
        let pair = Pair([nil], settings: settings)
        pair.export([1], timeoutMs: 1_000)
        pair.server.tick(nowNs: Clock.monotonicNs)
        pair.exchange()
        #expect(pair.answers.map(\.statusCode) == [4])
        #expect(pair.counters[.requestsReceived] == 1 && pair.counters[.requestsExpired] == 1)
    }

    @Test func drainingServesWhatIsInFlightAndThenEnds() {
        let pair = Pair([nil])
        pair.export([1])
        pair.server.beginDrain(nowNs: Clock.monotonicNs)
        pair.exchange()
        #expect(!pair.server.isDrained)
        pair.server.answer(streamID: pair.sink.received[0].streamID, with: .accepted)
        pair.exchange()
        #expect(pair.answers.map(\.statusCode) == [0])
        pair.server.tick(nowNs: Clock.monotonicNs + 1_000_000_000)
        #expect(pair.server.isDrained)
    }

    @Test func drainingServesWhatComesRightBehindTheAnswerToItsPing() throws {
        let pair = Pair([nil])
        pair.exchange()
        pair.begin([1])
        let request = try pair.clientOutput()
        pair.server.beginDrain(nowNs: Clock.monotonicNs)
        try pair.deliverToClient()
        let acknowledgement = try pair.clientOutput()
        #expect(!request.isEmpty && !acknowledgement.isEmpty)
        try pair.deliverToServer(acknowledgement)
        pair.server.tick(nowNs: Clock.monotonicNs)
        try pair.deliverToServer(request)
        pair.exchange()
        try #require(pair.sink.received.count == 1)
        pair.server.tick(nowNs: Clock.monotonicNs + 1_000_000_000)
        #expect(!pair.server.isDrained)
        pair.server.answer(streamID: pair.sink.received[0].streamID, with: .accepted)
        pair.exchange()
        #expect(pair.answers.map(\.statusCode) == [0])
        #expect(pair.server.isDrained)
    }

    @Test func manyCallsReturnAllCredit() {
        // More bytes than the connection window: only returned credit lets the last calls through.
        let pair = Pair([Outcome?](repeating: .accepted, count: 40))
        let message = [UInt8](repeating: 3, count: 400_000)
        for _ in 0..<40 { pair.export(message) }
        #expect(pair.answers.count == 40)
        #expect(pair.answers.allSatisfy { $0.statusCode == 0 })
    }
}
