// SPDX-License-Identifier: Apache-2.0
import Base
import Synchronization
import Testing

@testable import Query

@Suite struct ChunkStreamTests {
    private static let whole = [UInt8](repeating: 1, count: ChunkStream.chunkSizeBytes)
    private static let capacity = ChunkStream.sizeBytesMax / ChunkStream.chunkSizeBytes

    private static func offer(_ count: Int, to stream: ChunkStream) {
        for _ in 0..<count { #expect(stream.offer(whole) == .taken) }
    }

    /// Everything up to the end, and the failure that was it.
    private static func rest(
        of stream: ChunkStream
    ) async -> (chunks: [[UInt8]], failure: QueryFailure?) {
        var chunks: [[UInt8]] = []
        do throws(QueryFailure) {
            while let chunk = try await stream.next() { chunks.append(chunk) }
            return (chunks, nil)
        } catch {
            return (chunks, error)
        }
    }

    @Test func noMoreIsHeldThanMayBe() async throws {
        let stream = ChunkStream()
        ChunkStreamTests.offer(ChunkStreamTests.capacity, to: stream)
        #expect(stream.offer([1]) == .full)
        _ = try await stream.next()
        #expect(stream.offer([1]) == .taken)
        #expect(stream.offer(ChunkStreamTests.whole) == .full)
    }

    @Test func aLargerChunkComesInAlone() async throws {
        let stream = ChunkStream()
        let large = [UInt8](repeating: 2, count: ChunkStream.sizeBytesMax + 1)
        #expect(stream.offer([1]) == .taken)
        #expect(stream.offer(large) == .full)
        #expect(try await stream.next() == [1])
        #expect(stream.offer(large) == .taken)
        #expect(stream.offer([1]) == .full)
        #expect(try await stream.next() == large)
    }

    @Test func whatIsHeldComesBeforeTheEnd() async {
        let complete = ChunkStream()
        #expect(complete.offer([1]) == .taken)
        complete.finish()
        #expect(complete.offer([2]) == .over)
        complete.fail(QueryFailure(.failed, "later"))
        let found = await ChunkStreamTests.rest(of: complete)
        #expect(found.chunks == [[1]] && found.failure == nil)

        let failed = ChunkStream()
        #expect(failed.offer([1]) == .taken)
        failed.fail(QueryFailure(.queryTimeout, "slow"))
        let rest = await ChunkStreamTests.rest(of: failed)
        #expect(rest.chunks == [[1]] && rest.failure?.kind == .queryTimeout)
    }

    @Test func aFailureBeforeTheFirstChunkIsToldAtTheStart() async throws {
        let failed = ChunkStream()
        failed.fail(QueryFailure(.migrating, "old"))
        await #expect(throws: QueryFailure(.migrating, "old")) { try await failed.start() }

        let begun = ChunkStream()
        #expect(begun.offer([1]) == .taken)
        begun.fail(QueryFailure(.failed, "later"))
        try await begun.start()

        let empty = ChunkStream()
        empty.finish()
        try await empty.start()
        #expect(try await empty.next() == nil)
    }

    // Method: the producer is on a thread of its own, as a reader is. That it waits is seen by
    // what it has put: never more than what was taken and what is held.
    @Test func whoeverMakesMoreWaitsForWhoeverReads() async throws {
        let stream = ChunkStream()
        let count = 3 * ChunkStreamTests.capacity
        let put = Atomic<Int>(0)
        try await withProducer {
            for _ in 0..<count {
                try? stream.put(ChunkStreamTests.whole)
                put.add(1, ordering: .relaxed)
            }
            stream.finish()
        } while: {
            var taken = 0
            while try await stream.next() != nil {
                #expect(put.load(ordering: .relaxed) <= taken + 1 + ChunkStreamTests.capacity)
                taken += 1
            }
            #expect(taken == count)
        }
    }

    @Test func whoWaitsForRoomIsLetGoWhenTheClientLeaves() async throws {
        let stream = ChunkStream()
        ChunkStreamTests.offer(ChunkStreamTests.capacity, to: stream)
        let kind = Mutex<QueryFailure.Kind?>(nil)
        try await withProducer {
            do throws(QueryFailure) { try stream.put([1]) } catch {
                kind.withLock { $0 = error.kind }
            }
        } while: {
            stream.abandon()
        }
        #expect(kind.withLock { $0 } == .cancelled)
        #expect(stream.isOver && stream.offer([1]) == .over)
        await #expect(throws: QueryFailure(.cancelled, "the client left")) {
            try await stream.next()
        }
    }

    @Test func aConsumerThatIsCancelledAbandonsTheStream() async {
        let stream = ChunkStream()
        let consumer = Task { await ChunkStreamTests.rest(of: stream).failure?.kind }
        consumer.cancel()
        #expect(await consumer.value == .cancelled)
        #expect(stream.isOver)
    }

    @Test func streamsEndWithTheService() async throws {
        let table = StreamTable()
        let stream = try table.open()
        table.close()
        await #expect(throws: ReadQueue.stopping) { try await stream.next() }
        #expect(throws: ReadQueue.stopping) { try table.open() }
    }

    /// Runs `produce` on a thread, and returns when that and `body` have.
    private func withProducer(
        _ produce: @escaping @Sendable () -> Void, while body: () async throws -> Void
    ) async throws {
        let thread = WorkerThread(name: "producer", body: produce)
        try await body()
        thread.join()
    }
}
