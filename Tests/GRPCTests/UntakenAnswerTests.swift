// SPDX-License-Identifier: Apache-2.0
import Base
import HTTP2
import Testing

@testable import GRPC

private final class AcceptingSink: ExportSink {
    func received(
        _ message: consuming ExportMessage, streamID: Int32, from connection: ServerConnection
    ) -> Outcome? { .accepted }

    func abandoned(streamID: Int32) {}
}

// Goal: a client that gives no window for an answer does not hold its stream for ever, and one that
// takes it late is served. Method: windows of 0 on the client's side, and a made-up time.

@Suite struct UntakenAnswerTests {
    private static let secondNs: UInt64 = 1_000_000_000

    @Test(arguments: [(29, 0), (31, 1)] as [(UInt64, Int)])
    func streamIsGivenUpAfterItsTime(seconds: UInt64, count: Int) throws {
        var windows = HTTP2Settings()
        windows.streamWindowBytes = 0
        let client = ClientConnection(http2: windows, authority: "test")
        let counters = Counters()
        let server = ServerConnection(
            http2: HTTP2Settings(), settings: GRPCSettings(),
            budget: MemoryBudget(limitBytes: 1 << 20), counters: counters, retryHint: { 1_000 })
        let sink = AcceptingSink()
        server.sink = sink
        var answers: [ClientAnswer] = []
        let framed = ClientConnection.frame([1, 2, 3], isCompressed: false)
        _ = client.export(.traces, framed: framed, isCompressed: false, timeoutMs: 1_000) {
            answers.append($0)
        }
        try exchange(client.session, server.session)
        #expect(server.session.openStreamCount == 1 && answers.isEmpty)
        server.tick(nowNs: Clock.monotonicNs + seconds * Self.secondNs)
        try exchange(client.session, server.session)
        #expect(counters[.answersUntaken] == count)
        #expect(server.session.openStreamCount == 1 - count)
        withExtendedLifetime(sink) {}
    }

    private func exchange(_ first: Session, _ second: Session) throws {
        var isMoving = true
        while isMoving {
            isMoving = false
            while let bytes = try first.nextOutput() {
                try second.receive(bytes)
                isMoving = true
            }
            while let bytes = try second.nextOutput() {
                try first.receive(bytes)
                isMoving = true
            }
        }
    }
}
