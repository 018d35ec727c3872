// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging
internal import NIOCore
internal import Synchronization

/// A server that runs as one Swift task on an event loop: how it starts, and how it ends.
///
/// Thread: any.
final class ServerTask: Sendable {
    private let running = Mutex<Running?>(nil)

    private struct Running {
        let task: Task<Void, Never>
        let ended: Handover<Bool>
    }

    private static let stopMs: UInt64 = 2_000

    /// Runs `serve`, which is handed what to call with its channel once it listens, until it
    /// returns. Returns the port that it listens on, nil for a unix socket.
    func start(
        on loop: any EventLoop, name: String, logger: Logger,
        _ serve:
            @escaping @Sendable (@escaping @Sendable (any Channel) -> Void) async throws -> Void
    ) throws(APIServerFailure) -> UInt16? {
        let started = Handover<Result<UInt16?, APIServerFailure>>()
        let ended = Handover<Bool>()
        let task = Task(executorPreference: LoopExecutor(loop)) {
            do {
                try await serve { channel in
                    started.give(.success(channel.localAddress?.port.map { UInt16(clamping: $0) }))
                }
            } catch {
                started.give(.failure(APIServerFailure(error)))
                if !Task.isCancelled { logger.error("\(name) is no longer served: \(error)") }
            }
            ended.give(true)
        }
        let port = try started.take().get()
        running.withLock { $0 = Running(task: task, ended: ended) }
        return port
    }

    /// Whether it has returned.
    var hasEnded: Bool { running.withLock { $0 == nil || $0?.ended.value != nil } }

    /// Cancels it, and waits a moment for its end.
    func stop() {
        guard let running = running.withLock({ $0.take() }) else { return }
        running.task.cancel()
        _ = running.ended.take(deadlineNs: Clock.monotonicNs + ServerTask.stopMs * 1_000_000)
    }
}

extension Logger {
    /// For Hummingbird: what a client does wrong is its own affair, and what ends a server is
    /// logged by its task.
    var quiet: Logger {
        var logger = self
        logger.logLevel = .critical
        return logger
    }
}

extension APIServerFailure {
    fileprivate init(_ error: any Error) {
        if let error = error as? IOError {
            self.init(code: error.errnoCode, "\(error)")
        } else {
            self.init("\(error)")
        }
    }
}

/// Runs Swift tasks on an event loop, so that serving takes its threads and no pool.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = unsafe asUnownedTaskExecutor()
        loop.execute { unsafe job.runSynchronously(on: executor) }
    }
}

/// Hands one value from one thread to another that waits for it. The first value given counts.
private final class Handover<Value: Sendable>: @unchecked Sendable {
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var given: Value?

    func give(_ value: Value) {
        monitor.withLock {
            if given == nil { given = value }
            monitor.broadcast()
        }
    }

    /// What was given so far.
    var value: Value? { monitor.withLock { given } }

    func take() -> Value {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            if let given { return given }
            monitor.wait()
        }
    }

    /// Nil when none was given until then.
    func take(deadlineNs: UInt64) -> Value? {
        monitor.lock()
        defer { monitor.unlock() }
        while given == nil, monitor.wait(deadlineNs: deadlineNs) {}
        return given
    }
}
