// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A question that waits for a reader. One of the two is called, once.
struct ReadTask: Sendable {
    let perform: @Sendable (inout Reader) -> Void
    let refuse: @Sendable (QueryFailure) -> Void
}

/// What waits for readers, in the order in which it came, and bounded. Thread: any.
final class ReadQueue: @unchecked Sendable {
    private let waitingCountMax: Int
    private let refusal: @Sendable (_ waitingCount: Int) -> QueryFailure
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var waiting: [ReadTask] = []
    private var idleCount = 0
    private var isClosed = false

    /// `refusal` makes the failure of those that cannot wait.
    init(
        waitingCountMax: Int,
        refusal: @escaping @Sendable (_ waitingCount: Int) -> QueryFailure = ReadQueue.busy
    ) {
        self.waitingCountMax = waitingCountMax
        self.refusal = refusal
    }

    /// Puts `task` in; returns why not, where it cannot.
    func add(_ task: ReadTask) -> QueryFailure? {
        monitor.withLock {
            guard !isClosed else { return ReadQueue.stopping }
            guard waiting.count < waitingCountMax + idleCount else {
                return refusal(waiting.count)
            }
            waiting.append(task)
            monitor.signal()
            return nil
        }
    }

    /// The next task, when there is one; nil when the queue is closed. Thread: a reader.
    func next() -> ReadTask? {
        monitor.lock()
        defer { monitor.unlock() }
        idleCount += 1
        defer { idleCount -= 1 }
        while waiting.isEmpty {
            if isClosed { return nil }
            monitor.wait()
        }
        return waiting.removeFirst()
    }

    /// From now on nothing gets in; what waits is refused.
    func close() {
        let refused = monitor.withLock {
            isClosed = true
            defer { waiting = [] }
            monitor.broadcast()
            return waiting
        }
        for task in refused { task.refuse(ReadQueue.stopping) }
    }

    /// Tasks that wait, for the gauge.
    var waitingCount: Int { monitor.withLock { waiting.count } }

    private static func busy(waitingCount: Int) -> QueryFailure {
        QueryFailure(
            .tooManyQueries,
            "\(waitingCount) questions wait for the database already; ask again, or raise "
                + "query.readers or query.waiting_max", retryAfterSeconds: 1)
    }

    static let stopping = QueryFailure(
        .databaseUnavailable, "the daemon is stopping", retryAfterSeconds: 2)
}
