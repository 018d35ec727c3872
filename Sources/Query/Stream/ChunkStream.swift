// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Bytes on their way to one client, in chunks: made on any thread, sent by an event loop.
///
/// Bounded: `sizeBytesMax` are held, then whoever makes more waits (`put`) or hears of it
/// (`offer`). It ends in one of three ways: it is complete (`finish`), it failed (`fail`), or the
/// client is gone (`abandon`). Thread: any; one consumer at a time.
package final class ChunkStream: Sendable {
    /// What chunks are to be about as large as: fewer are dear to send, larger ones to hold.
    package static let chunkSizeBytes = 64 << 10
    /// Held for one client; a single larger chunk is let in when nothing else is held.
    package static let sizeBytesMax = 256 << 10

    /// What became of a chunk that was offered.
    package enum Offer: Sendable {
        case taken
        /// There is no room: the client reads more slowly than there is to send.
        case full
        /// The client is gone, or the stream has ended: nothing is wanted any more.
        case over
    }

    private enum End {
        case complete
        case failed(QueryFailure)
        case abandoned
    }

    private typealias Consumer = CheckedContinuation<Void, Never>

    private struct State {
        var chunks: [[UInt8]] = []
        var sizeBytes = 0
        var end: End?
        var consumer: Consumer?

        /// Whether a chunk of so many bytes may come in.
        func hasRoom(_ count: Int) -> Bool {
            chunks.isEmpty || sizeBytes + count <= ChunkStream.sizeBytesMax
        }
    }

    // The one condition is that there is room, or that the stream has ended.
    private let monitor = Monitor()
    private let guarded = Guarded()

    /// Protected by `monitor`.
    private final class Guarded: @unchecked Sendable {
        var state = State()
    }

    package init() {}

    // MARK: Whoever makes the bytes

    /// Adds a chunk; waits while there is no room. Errors: `cancelled` where the client is gone.
    package func put(_ chunk: [UInt8]) throws(QueryFailure) {
        monitor.lock()
        while guarded.state.end == nil, !guarded.state.hasRoom(chunk.count) { monitor.wait() }
        let isOver = guarded.state.end != nil
        let consumer = isOver ? nil : add(chunk)
        monitor.unlock()
        consumer?.resume()
        if isOver { throw QueryFailure(.cancelled, "the client left") }
    }

    /// Adds a chunk where there is room; never waits.
    package func offer(_ chunk: [UInt8]) -> Offer {
        let (offer, consumer): (Offer, Consumer?) = monitor.withLock {
            if guarded.state.end != nil { return (.over, nil) }
            guard guarded.state.hasRoom(chunk.count) else { return (.full, nil) }
            return (.taken, add(chunk))
        }
        consumer?.resume()
        return offer
    }

    /// Nothing comes any more, and nothing is missing.
    package func finish() { end(.complete) }

    /// Nothing comes any more, and what was sent is not all: the client is told so.
    package func fail(_ failure: QueryFailure) { end(.failed(failure)) }

    /// Whether nothing is wanted any more.
    package var isOver: Bool { monitor.withLock { guarded.state.end != nil } }

    // MARK: Whoever sends them

    /// The client is gone: what is held is dropped, whoever waits for room is let go.
    package func abandon() {
        end(.abandoned)
        monitor.withLock {
            guarded.state.chunks = []
            guarded.state.sizeBytes = 0
        }
    }

    /// The next chunk, when there is one; nil after the last of a complete stream. Errors: that of
    /// `fail`, after the chunks before it; `cancelled` where it was abandoned.
    package func next() async throws(QueryFailure) -> [UInt8]? {
        await wait()
        monitor.lock()
        defer { monitor.unlock() }
        guard guarded.state.chunks.isEmpty else {
            let chunk = guarded.state.chunks.removeFirst()
            guarded.state.sizeBytes -= chunk.count
            monitor.broadcast()
            return chunk
        }
        switch guarded.state.end {
        case .failed(let failure): throw failure
        case .abandoned: throw QueryFailure(.cancelled, "the client left")
        case .complete, nil: return nil
        }
    }

    /// Waits for the first chunk, or the end. Errors: that of `fail` where there is no chunk: then
    /// nothing was sent yet, and the failure can be told as that of any question.
    package func start() async throws(QueryFailure) {
        await wait()
        let failure: QueryFailure? = monitor.withLock {
            guard guarded.state.chunks.isEmpty, case .failed(let failure) = guarded.state.end else {
                return nil
            }
            return failure
        }
        if let failure { throw failure }
    }

    // MARK: Within

    /// Until there is a chunk or an end. A task that is cancelled abandons the stream.
    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Consumer) in
                let isReady = monitor.withLock {
                    if guarded.state.end != nil || !guarded.state.chunks.isEmpty { return true }
                    precondition(guarded.state.consumer == nil, "a stream has one consumer")
                    guarded.state.consumer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            abandon()
        }
    }

    /// Whom to tell of it, outside of the lock.
    private func add(_ chunk: [UInt8]) -> Consumer? {
        guarded.state.chunks.append(chunk)
        guarded.state.sizeBytes += chunk.count
        return guarded.state.consumer.take()
    }

    /// The first end counts.
    private func end(_ end: End) {
        let consumer = monitor.withLock {
            if guarded.state.end == nil { guarded.state.end = end }
            monitor.broadcast()
            return guarded.state.consumer.take()
        }
        consumer?.resume()
    }
}
