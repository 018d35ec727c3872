// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Logging

/// A running PostgreSQL server: started, watched, started again if it ends by itself, stopped.
///
/// One thread of its own spawns it and waits for it. That thread lives as long as we do, which
/// matters: the kernel stops the server when the thread that spawned it is gone.
///
/// Thread: any.
final class ServerProcess: @unchecked Sendable {
    private enum Phase {
        case starting
        case running(processID: Int32, sinceUnixSeconds: Int)
        /// It ended before it was ever ready, or could not be spawned.
        case failed(EmbeddedError)
        case stopped
    }

    /// How long a start is tried again while a former server's processes are still going away.
    private static let patienceNs: UInt64 = 30_000_000_000
    /// How long a fast shutdown may take. After it the server stops at once and recovers at the
    /// next start; what is committed stays.
    private static let fastShutdownNs: UInt64 = 30_000_000_000
    private static let pollNs: UInt64 = 20_000_000

    private let command: [String]
    private let environment: [String: String]
    private let dataFolder: String
    private let logger: Logger
    private let log: ServerLog
    private let monitor = Monitor()
    // Protected by the monitor.
    private var phase = Phase.starting
    private var isStopping = false
    private var hasBeenReady = false
    private var thread: WorkerThread?

    init(
        command: [String], environment: [String: String], dataFolder: String, logger: Logger
    ) {
        self.command = command
        self.environment = environment
        self.dataFolder = dataFolder
        self.logger = logger
        log = ServerLog(logger: logger)
    }

    /// Starts the server and waits until it takes connections. Blocks, without a limit: recovery
    /// after a crash takes as long as it takes.
    func start() throws(EmbeddedError) {
        monitor.withLock {
            thread = SignalMask.withAllBlocked {
                WorkerThread(name: "postgres") { [self] in supervise() }
            }
        }
        let startedNs = Clock.monotonicNs
        var saidSeconds: UInt64 = 0
        while true {
            if try isReady() { return }
            let seconds = (Clock.monotonicNs - startedNs) / 1_000_000_000
            if seconds >= saidSeconds + 10 {
                saidSeconds = seconds
                logger.notice("PostgreSQL is still starting, after \(seconds) s")
            }
        }
    }

    /// Stops the server: open transactions are rolled back, a checkpoint is written. Blocks.
    func stop() {
        monitor.lock()
        isStopping = true
        monitor.broadcast()
        signalServer(SIGINT)
        let deadlineNs = Clock.monotonicNs + ServerProcess.fastShutdownNs
        while isAlive && monitor.wait(deadlineNs: deadlineNs) {}
        if isAlive {
            logger.warning("PostgreSQL takes long to stop; it will recover at the next start")
            signalServer(SIGQUIT)
        }
        let thread = self.thread
        self.thread = nil
        monitor.unlock()
        thread?.join()
    }

    private var isAlive: Bool {
        switch phase {
        case .starting, .running: true
        case .failed, .stopped: false
        }
    }

    /// With the monitor held: the process cannot have been reaped.
    private func signalServer(_ signal: Int32) {
        if case .running(let processID, _) = phase { kill(processID, signal) }
    }

    /// Waits a moment for the server to be ready.
    private func isReady() throws(EmbeddedError) -> Bool {
        try monitor.withLock { () throws(EmbeddedError) in
            switch phase {
            case .failed(let error): throw error
            case .running(let processID, let sinceUnixSeconds):
                // A file that an earlier server left, even one with this process ID, is older.
                if let file = PostmasterFile.read(dataFolder: dataFolder),
                    file.processID == processID, file.status == "ready",
                    file.startedAtUnixSeconds >= sinceUnixSeconds
                {
                    hasBeenReady = true
                    return true
                }
            case .starting, .stopped: break
            }
            _ = monitor.wait(deadlineNs: Clock.monotonicNs + ServerProcess.pollNs)
            return false
        }
    }

    // --- The thread of the server ---

    private func supervise() {
        var backoff = Backoff(minMs: 100, maxMs: 10_000)
        let deadlineNs = Clock.monotonicNs + ServerProcess.patienceNs
        while true {
            log.removeAll()
            let startedNs = Clock.monotonicNs
            let fault = runOnce()
            guard let fault = decide(fault, isPatient: Clock.monotonicNs < deadlineNs) else {
                return
            }
            if Clock.monotonicNs - startedNs > 60_000_000_000 { backoff.reset() }
            let delayMs = backoff.nextDelayMs()
            logger.error("\(fault.problem); starting it again in \(delayMs) ms")
            monitor.withLock {
                let untilNs = Clock.monotonicNs + UInt64(delayMs) * 1_000_000
                while !isStopping && monitor.wait(deadlineNs: untilNs) {}
            }
        }
    }

    /// Runs the server to its end, and says how it ended.
    private func runOnce() -> EmbeddedError {
        let child: ChildProcess
        do {
            child = try ChildProcess.spawn(command, environment: environment)
        } catch {
            return error
        }
        let log = self.log
        let reader = WorkerThread(name: "postgres-log") { child.readOutput(log.append) }
        monitor.withLock {
            phase = .running(
                processID: child.processID, sinceUnixSeconds: Int(Clock.unixNs / 1_000_000_000) - 2)
            if isStopping { signalServer(SIGINT) }
            monitor.broadcast()
        }
        child.waitWithoutReaping()
        let ending = monitor.withLock {
            phase = .starting
            return child.wait()
        }
        reader.join()
        return EmbeddedError(
            .unavailable, "PostgreSQL ended with \(ending)",
            remedy: "act on its messages; --set log.level=debug shows all of them")
    }

    /// After an end: nil if that was all, else the fault to report before the next start.
    private func decide(_ fault: EmbeddedError, isPatient: Bool) -> EmbeddedError? {
        monitor.withLock {
            if isStopping {
                phase = .stopped
            } else if hasBeenReady || (isPatient && isFormerServerGoing) {
                return fault
            } else {
                let words = log.lastLines.map { "; \($0)" }.joined()
                phase = .failed(
                    EmbeddedError(fault.kind, fault.problem + words, remedy: fault.remedy))
            }
            monitor.broadcast()
            return nil
        }
    }

    /// Processes of a server that was killed notice it within moments; until then it cannot start.
    private var isFormerServerGoing: Bool {
        log.lastLines.contains { line in
            line.contains("is still in use") || line.contains("\"postmaster.pid\" already exists")
        }
    }
}
