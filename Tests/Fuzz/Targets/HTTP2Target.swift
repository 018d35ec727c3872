// SPDX-License-Identifier: Apache-2.0
import Base
import HTTP2

@testable import GRPC

private let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

/// Answers some exports at once, in every way there is, and leaves some for later.
private final class RotatingSink: ExportSink {
    private let first: Int
    private(set) var receivedCount = 0
    private(set) var abandonedCount = 0
    var pendingIDs: [Int32] = []

    init(first: Int) { self.first = first }

    private static let outcomes: [Outcome?] = [
        nil, .accepted, .partial(rejectedItemCount: 2, message: "two items"),
        .retry(afterMs: 1_000, message: "later"), .refused(Refusal(.invalidArgument, "wrong")),
        .expired,
    ]

    func received(
        _ message: consuming ExportMessage, streamID: Int32, from connection: ServerConnection
    ) -> Outcome? {
        receivedCount += 1
        let outcome = RotatingSink.outcomes[(first + receivedCount) % RotatingSink.outcomes.count]
        if outcome == nil { pendingIDs.append(streamID) }
        return outcome
    }

    func abandoned(streamID: Int32) { abandonedCount += 1 }
}

/// Input: two bytes of circumstances, then what a client sends. The session ends or goes on; it
/// writes no more than it was made to, and gives all memory back.
func checkHTTP2(_ input: ByteSlice) throws {
    var reader = InputReader(input)
    let circumstances = HTTP2Circumstances(reader.byte(), reader.byte())
    let budget = MemoryBudget(limitBytes: circumstances.budgetBytes)
    try circumstances.play(reader.rest, budget: budget)
    try hold(budget.inUseBytes == 0, "\(budget.inUseBytes) bytes of the budget are left")
}

private struct HTTP2Circumstances {
    let hasPreface: Bool
    let pieceSizeBytes: Int
    let budgetBytes: Int
    let firstOutcome: Int
    /// After which piece the daemon begins to stop; nil for never.
    let drainPiece: Int?
    let isReader: Bool

    init(_ first: UInt8, _ second: UInt8) {
        hasPreface = first & 1 == 0
        pieceSizeBytes = [16_384, 1, 7, 9, 64, 300, 1_000, 4_096][Int(first >> 1 & 7)]
        budgetBytes = first & 0x10 == 0 ? 1 << 20 : 2_000
        isReader = first & 0x20 == 0
        firstOutcome = Int(second & 7)
        drainPiece = second & 8 == 0 ? nil : Int(second >> 4)
    }

    func play(_ bytes: ByteSlice, budget: MemoryBudget) throws {
        var settings = GRPCSettings()
        settings.messageSizeBytesMax = 8_192
        let connection = ServerConnection(
            http2: HTTP2Settings(), settings: settings, budget: budget, counters: Counters(),
            retryHint: { 1_000 })
        let sink = RotatingSink(first: firstOutcome)
        connection.sink = sink
        let bytes = hasPreface ? preface + bytes.array : bytes.array
        do throws(Session.Failure) {
            try feed(bytes, to: connection, sink)
        } catch {
            // After an error there may be a last frame to send.
            _ = try? flush(connection.session)
        }
        connection.session.abandonStreams()
        let openCount = connection.session.openStreamCount
        try hold(openCount == 0, "\(openCount) streams are left")
    }

    private func feed(
        _ bytes: [UInt8], to connection: ServerConnection, _ sink: RotatingSink
    ) throws(Session.Failure) {
        var pieceIndex = 0
        var nowNs = Clock.monotonicNs
        for start in stride(from: 0, to: bytes.count, by: pieceSizeBytes) {
            if pieceIndex == drainPiece { connection.beginDrain(nowNs: nowNs) }
            let piece = Array(bytes[start..<min(bytes.count, start + pieceSizeBytes)])
            try receive(piece, connection.session)
            if isReader { try flush(connection.session) }
            if pieceIndex % 4 == 3 {
                nowNs += 500_000_000
                connection.tick(nowNs: nowNs)
                answerPending(connection, sink)
            }
            pieceIndex += 1
        }
        connection.endWatches()
        answerPending(connection, sink)
        connection.tick(nowNs: .max / 2)
        try flush(connection.session)
    }

    private func receive(_ piece: [UInt8], _ session: Session) throws(Session.Failure) {
        let result = withSlice(piece) { slice -> Result<Void, Session.Failure> in
            do throws(Session.Failure) {
                return .success(try session.receive(slice))
            } catch { return .failure(error) }
        }
        try result.get()
    }

    private func answerPending(_ connection: ServerConnection, _ sink: RotatingSink) {
        for id in sink.pendingIDs { connection.answer(streamID: id, with: .accepted) }
        sink.pendingIDs.removeAll()
    }

    /// Throws away what there is to send.
    private func flush(_ session: Session) throws(Session.Failure) {
        while try session.nextOutput() != nil {}
    }
}
