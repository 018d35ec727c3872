// SPDX-License-Identifier: Apache-2.0

/// One client that follows what is stored.
///
/// Thread: `question` and `stream` any; all else is the poller's.
final class Tail: @unchecked Sendable {
    let question: TailQuestion
    let stream: ChunkStream
    /// How far it has come; nil until it has begun.
    var position: TailCursor?
    private var queue = TailQueue()
    /// What was taken out of the queue, and found no room yet.
    private var chunk: [UInt8] = []
    private var chunkRowCount = 0
    private var isHeadSent = false
    private var sentRowCount = 0
    private var lastSentNs: UInt64 = 0
    private var droppedCount = 0

    init(_ question: TailQuestion, into stream: ChunkStream) {
        self.question = question
        self.stream = stream
    }

    /// Whether something waits for room.
    var isBehind: Bool { !chunk.isEmpty || !queue.isEmpty }

    func append(_ entry: TailQueue.Entry) { queue.append(entry) }

    /// Rows that gave way since this was asked last.
    func takeDroppedCount() -> Int {
        defer { droppedCount = queue.droppedCount }
        return queue.droppedCount - droppedCount
    }

    /// Says that it is there, where nothing else has for a while.
    func beat(nowNs: UInt64) {
        guard let position, !isBehind, nowNs - lastSentNs >= TailLimits.heartbeatNs else { return }
        queue.append(.position(cursor: position.text(of: question.fingerprint)))
    }

    /// Sends what there is room for; returns how many rows that were. Ends the stream behind its
    /// last row.
    func drain(nowNs: UInt64) -> Int {
        var rowCount = 0
        while isBehind {
            if chunk.isEmpty { takeChunk() }
            guard case .taken = stream.offer(chunk) else { break }
            lastSentNs = nowNs
            chunk = []
            rowCount += chunkRowCount
            sentRowCount += chunkRowCount
            if sentRowCount == question.rowCountMax {
                stream.finish()
                break
            }
        }
        return rowCount
    }

    private func takeChunk() {
        if !isHeadSent { chunk = TailFrames.head(question.form) }
        isHeadSent = true
        chunkRowCount = 0
        var count = 0
        let leftCount = (question.rowCountMax ?? .max) - sentRowCount
        for entry in queue.entries {
            if chunk.count >= ChunkStream.chunkSizeBytes || chunkRowCount == leftCount { break }
            TailFrames.append(entry, as: question.form, to: &chunk)
            count += 1
            if case .row = entry { chunkRowCount += 1 }
        }
        queue.removeFirst(count)
    }
}
