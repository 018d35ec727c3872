// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The streams that are under way, for the end of the daemon. Thread: any.
final class StreamTable: Sendable {
    private struct Entry: Sendable {
        weak let stream: ChunkStream?
    }

    private struct State {
        var isClosed = false
        var entries: [Entry] = []
    }

    private let state = Mutex(State())

    /// Another one. Errors: `databaseUnavailable` once the daemon is stopping.
    func open() throws(QueryFailure) -> ChunkStream {
        let stream = ChunkStream()
        let isClosed = state.withLock { state in
            state.entries.removeAll { $0.stream == nil }
            state.entries.append(Entry(stream: stream))
            return state.isClosed
        }
        if isClosed { throw ReadQueue.stopping }
        return stream
    }

    /// All of them fail, and whoever makes them is let go.
    func close() {
        let entries = state.withLock { state in
            state.isClosed = true
            return state.entries
        }
        for entry in entries { entry.stream?.fail(ReadQueue.stopping) }
    }
}
