// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Query

@Suite struct ReadQueueTests {
    private func task(_ refusals: Refusals = Refusals()) -> ReadTask {
        ReadTask(perform: { _ in }, refuse: { refusals.note($0.kind) })
    }

    private final class Refusals: Sendable {
        private let noted = Mutex<[QueryFailure.Kind]>([])
        func note(_ kind: QueryFailure.Kind) { noted.withLock { $0.append(kind) } }
        var kinds: [QueryFailure.Kind] { noted.withLock { $0 } }
    }

    @Test func noMoreThanTheBoundMayWait() {
        let queue = ReadQueue(waitingCountMax: 2)
        #expect(queue.add(task()) == nil)
        #expect(queue.add(task()) == nil)
        let refusal = queue.add(task())
        #expect(refusal?.kind == .tooManyQueries)
        #expect(refusal?.retryAfterSeconds == 1)
        #expect(queue.waitingCount == 2)
        #expect(queue.next() != nil)
        #expect(queue.add(task()) == nil)
    }

    @Test func whatWaitsAtTheEndIsRefused() {
        let queue = ReadQueue(waitingCountMax: 2)
        let refusals = Refusals()
        #expect(queue.add(task(refusals)) == nil)
        queue.close()
        #expect(refusals.kinds == [.databaseUnavailable])
        #expect(queue.next() == nil)
        #expect(queue.add(task())?.kind == .databaseUnavailable)
    }
}
