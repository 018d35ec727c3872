// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Synchronization

/// Threads that answer questions, each with a session of its own.
///
/// As many questions wait as may, the rest is refused at once: those who ask can never take more of
/// the database than this. Thread: any.
final class ReaderPool: Sendable {
    private let settings: ReaderSettings
    private let threadCount: Int
    private let name: String
    private let queue: ReadQueue
    private let stop = StopSignal()
    private let threads = Mutex<[WorkerThread]>([])

    /// For questions that are answered at once.
    init(_ settings: ReaderSettings) {
        self.settings = settings
        threadCount = settings.readerCount
        name = "reader"
        queue = ReadQueue(waitingCountMax: settings.waitingCountMax)
    }

    /// For those whose answers are streams: they take long, and wait for nobody.
    init(exportsOf settings: ReaderSettings) {
        self.settings = settings.ofExports
        threadCount = settings.streamCountMax
        name = "export"
        queue = ReadQueue(waitingCountMax: 0) { _ in
            QueryFailure(
                .tooManyQueries,
                "\(settings.streamCountMax) exports are under way; try again later, or raise "
                    + "query.streams_max", retryAfterSeconds: ReaderPool.exportRetryAfterSeconds)
        }
    }

    private static let exportRetryAfterSeconds = 5

    /// Starts the threads; a session is opened with the first question. Call once.
    func start() {
        let started = (0..<threadCount).map { index in
            WorkerThread(name: "\(name)-\(index)") { [settings, queue, stop] in
                var reader = Reader(settings, stop: stop)
                while let task = queue.next() { task.perform(&reader) }
            }
        }
        threads.withLock { $0 = started }
    }

    /// Ends the threads; questions under way and those that wait fail.
    func end() {
        queue.close()
        stop.fire()
        for thread in threads.withLock({ threads in
            defer { threads = [] }
            return threads
        }) { thread.join() }
    }

    /// Lets a reader run `body`; `done` hears what it returned, or why it was not run.
    func add<Value: Sendable>(
        until interruption: StopSignal,
        _ body: @escaping @Sendable (inout ReadSession) throws(QueryFailure) -> Value,
        done: @escaping @Sendable (Result<Value, QueryFailure>) -> Void
    ) {
        let task = ReadTask(
            perform: { reader in done(reader.answer(until: interruption, body)) },
            refuse: { done(.failure($0)) })
        if let refusal = queue.add(task) { task.refuse(refusal) }
    }

    /// Questions that wait.
    var waitingCount: Int { queue.waitingCount }

    /// Lets a reader run `body`, and waits for what it returns. Once `interruption` is fired or the
    /// caller's task cancelled, so is the statement in the database.
    func run<Value: Sendable>(
        until interruption: StopSignal,
        _ body: @escaping @Sendable (inout ReadSession) throws(QueryFailure) -> Value
    ) async throws(QueryFailure) -> Value {
        let result: Result<Value, QueryFailure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                add(until: interruption, body) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            interruption.fire()
        }
        return try result.get()
    }
}
