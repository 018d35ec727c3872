// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Synchronization

/// Looks for what is new, for all who follow it: one thread, and one session with the database,
/// which are there only while somebody does. Thread: any.
final class TailPoller: Sendable {
    private let settings: ReaderSettings
    private let stop = StopSignal()
    private let thread = Mutex<WorkerThread?>(nil)
    private let counts = Mutex(TailFigures())
    private let monitor = Monitor()
    private let guarded = Guarded()

    /// Protected by `monitor`.
    private final class Guarded: @unchecked Sendable {
        var tails: [Tail] = []
        var isClosed = false
    }

    init(_ settings: ReaderSettings) {
        TailLimits.check()
        self.settings = settings.ofTails
    }

    /// What has been done so far.
    var figures: TailFigures {
        var figures = counts.withLock { $0 }
        figures.openCount = monitor.withLock { guarded.tails.count { !$0.stream.isOver } }
        return figures
    }

    /// Starts the thread. Call once.
    func start() {
        let started = WorkerThread(name: "tail") { self.run() }
        thread.withLock { $0 = started }
    }

    /// Ends it; the streams are ended elsewhere.
    func end() {
        monitor.withLock {
            guarded.isClosed = true
            monitor.signal()
        }
        stop.fire()
        thread.withLock { $0.take() }?.join()
    }

    /// Serves `stream` from the next look on, which is at once. Errors: `tooManyQueries` where
    /// there are as many as may be.
    func open(_ question: TailQuestion, into stream: ChunkStream) throws(QueryFailure) {
        let failure: QueryFailure? = monitor.withLock {
            if guarded.isClosed { return ReadQueue.stopping }
            guarded.tails.removeAll { $0.stream.isOver }
            guard guarded.tails.count < settings.tailCountMax else {
                return QueryFailure(
                    .tooManyQueries,
                    "\(settings.tailCountMax) tails are under way; try again later, or raise "
                        + "query.tails_max", retryAfterSeconds: TailLimits.retryAfterSeconds)
            }
            guarded.tails.append(Tail(question, into: stream))
            monitor.signal()
            return nil
        }
        if let failure { throw failure }
    }

    // MARK: The thread

    private struct Life {
        var nextLookNs: UInt64 = 0
        var isDatabaseThere = true
        /// Whether somebody waits for room: then it is looked after more often.
        var isBehind = false
    }

    private func run() {
        while awaitTails() {
            // A session for as long as there are any.
            var reader = Reader(settings, stop: stop)
            var life = Life()
            while let tails = awaitTurn(life), !tails.isEmpty {
                let isDue = Clock.monotonicNs >= life.nextLookNs
                if isDue || tails.contains(where: { $0.position == nil }) {
                    look(tails, &life, with: &reader)
                }
                send(tails, &life)
            }
        }
    }

    /// Sleeps until somebody is there; false at the end.
    private func awaitTails() -> Bool {
        monitor.withLock {
            while guarded.tails.isEmpty, !guarded.isClosed { monitor.wait() }
            return !guarded.isClosed
        }
    }

    /// Sleeps until there is something to do, and returns for whom; nil at the end.
    private func awaitTurn(_ life: Life) -> [Tail]? {
        monitor.lock()
        defer { monitor.unlock() }
        while !guarded.isClosed {
            guarded.tails.removeAll { $0.stream.isOver }
            let nowNs = Clock.monotonicNs
            let hasNew = guarded.tails.contains { $0.position == nil }
            if guarded.tails.isEmpty || hasNew || nowNs >= life.nextLookNs { return guarded.tails }
            let drainNs = nowNs + TailLimits.drainNs
            let isToDrain = life.isBehind && drainNs < life.nextLookNs
            _ = monitor.wait(deadlineNs: isToDrain ? drainNs : life.nextLookNs)
            if isToDrain { return guarded.tails }
        }
        return nil
    }

    private func look(_ tails: [Tail], _ life: inout Life, with reader: inout Reader) {
        let startNs = Clock.monotonicNs
        let result = reader.answer(until: stop) { (session) throws(QueryFailure) in
            try TailRound.run(tails, from: &session)
        }
        let endNs = Clock.monotonicNs
        switch result {
        case .success(let figures):
            counts.withLock { counts in
                counts.lookCount += 1
                counts.readCount += figures.readCount
                counts.skippedCount += Int(figures.skippedCount)
            }
            life.nextLookNs =
                endNs + max(settings.tailIntervalNs, TailLimits.restFactor * (endNs - startNs))
            if !life.isDatabaseThere {
                tell(tails, isDatabaseThere: true, "what was stored meanwhile follows")
            }
            life.isDatabaseThere = true
        case .failure(let failure):
            life.nextLookNs = endNs + TailLimits.retryNs
            for tail in tails where tail.position == nil { tail.stream.fail(failure) }
            if life.isDatabaseThere { tell(tails, isDatabaseThere: false, failure.detail) }
            life.isDatabaseThere = false
        }
    }

    private func tell(_ tails: [Tail], isDatabaseThere: Bool, _ detail: String) {
        for tail in tails where tail.position != nil {
            tail.append(.status(isDatabaseThere: isDatabaseThere, detail: detail))
        }
    }

    private func send(_ tails: [Tail], _ life: inout Life) {
        life.isBehind = false
        let nowNs = Clock.monotonicNs
        var (deliveredCount, droppedCount) = (0, 0)
        for tail in tails {
            tail.beat(nowNs: nowNs)
            deliveredCount += tail.drain(nowNs: nowNs)
            droppedCount += tail.takeDroppedCount()
            if tail.isBehind, !tail.stream.isOver { life.isBehind = true }
        }
        guard deliveredCount + droppedCount > 0 else { return }
        counts.withLock { counts in
            counts.deliveredCount += deliveredCount
            counts.skippedCount += droppedCount
        }
    }
}
