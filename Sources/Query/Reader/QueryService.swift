// SPDX-License-Identifier: Apache-2.0
internal import Postgres
internal import Synchronization

/// Answers questions about what is stored: what the API has of the database.
///
/// Thread: any. Nothing here blocks: the readers do.
package final class QueryService: Sendable {
    private let pool: ReaderPool
    private let exporters: ReaderPool
    private let tails: TailPoller
    private let streams = StreamTable()
    private let userCount = Mutex(0)

    package init(_ settings: ReaderSettings) {
        pool = ReaderPool(settings)
        exporters = ReaderPool(exportsOf: settings)
        tails = TailPoller(settings)
    }

    /// Starts the readers, for the first of those that answer with them. Call once for each, before
    /// its first question.
    package func start() {
        userCount.withLock { count in
            if count == 0 {
                pool.start()
                exporters.start()
                tails.start()
            }
            count += 1
        }
    }

    /// Ends the readers with the last of those that called `start`; questions under way fail with
    /// `databaseUnavailable`, and so do streams.
    package func stop() {
        let isLast = userCount.withLock { count in
            count -= 1
            return count == 0
        }
        guard isLast else { return }
        streams.close()
        pool.end()
        exporters.end()
        tails.end()
    }

    /// Questions that wait for a reader.
    package var waitingCount: Int { pool.waitingCount }

    /// Lets a reader answer, and waits for that. Once `interest` has ended, or the caller's task is
    /// cancelled, the statement under way is cancelled in the database.
    package func read<Value: Sendable>(
        for interest: Interest = Interest(),
        _ body: @escaping @Sendable (inout ReadSession) throws(QueryFailure) -> Value
    ) async throws(QueryFailure) -> Value {
        try await pool.run(until: interest.signal, body)
    }

    /// As `read`, for a whole answer: `body` writes its bytes, which are packed where the client
    /// takes that. All of that is done by the reader.
    package func answer(
        for interest: Interest = Interest(), acceptsGzip: Bool = false,
        _ body:
            @escaping @Sendable (inout ReadSession, inout JSONWriter) throws(QueryFailure) -> Void
    ) async throws(QueryFailure) -> Answer {
        try await read(for: interest) { (session) throws(QueryFailure) in
            var writer = JSONWriter()
            try body(&session, &writer)
            return Answer(writer.bytes, acceptsGzip: acceptsGzip)
        }
    }
}

extension QueryService {
    /// A stream that fails when the service ends, for whoever makes its chunks elsewhere. Errors:
    /// `databaseUnavailable` once that is so.
    package func openStream() throws(QueryFailure) -> ChunkStream { try streams.open() }

    /// Follows what is stored, and returns once it is known where that begins: whatever is
    /// committed from then on is shown. Errors: `tooManyQueries` where `query.tails_max` are under
    /// way; those of the database and of the question.
    package func tail(_ question: TailQuestion) async throws(QueryFailure) -> ChunkStream {
        let stream = try streams.open()
        try tails.open(question, into: stream)
        try await stream.start()
        return stream
    }

    /// What tails have cost so far.
    package var tailFigures: TailFigures { tails.figures }

    /// Lets a reader of those for exports write a stream, with `body`, and returns once the first
    /// chunk is there. Errors: that of `body` where it comes before; `tooManyQueries` where
    /// `query.streams_max` are under way.
    package func export(
        for interest: Interest,
        _ body:
            @escaping @Sendable (inout ReadSession, ChunkStream) throws(QueryFailure) -> Void
    ) async throws(QueryFailure) -> ChunkStream {
        let stream = try streams.open()
        exporters.add(until: interest.signal) { (session) throws(QueryFailure) in
            try body(&session, stream)
        } done: { result in
            switch result {
            case .success: stream.finish()
            case .failure(let failure): stream.fail(failure)
            }
        }
        try await stream.start()
        return stream
    }
}

/// Somebody's interest in an answer, until they leave. Thread: any.
package struct Interest: Sendable {
    let signal = StopSignal()

    package init() {}

    /// They have left: what is done for them is given up.
    package func end() { signal.fire() }
}
