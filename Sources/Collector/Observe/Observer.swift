// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import GRPC
internal import Logging
internal import Postgres
internal import Ring
internal import Synchronization

/// What the observer looks at. All of it may be read by any thread.
struct ObservedParts: Sendable {
    let counters: Counters
    let ring: BoundedRing
    let budget: MemoryBudget
    let places: ConnectionAdmission
    let commits: CommitMarks
    let outage: OutageStore
    let tokens: TokenCache
    let ackLatencies: [AckLatency]
    let writers: [WriterProgress]
    let life: PipelineLife
    /// Nil where TLS is off.
    let tls: TLSKeeper?
}

/// Watches the daemon and its database, a second at a time, and says what it saw.
///
/// Thread: `run` is one of its own; the rest any. Nothing on the way of an export waits for it.
final class Observer: DaemonObserver {
    private let parts: ObservedParts
    private let database: DatabaseSettings
    private let health: HealthStatus
    private let aheadNsMin: UInt64
    private let stop: StopSignal
    private let logger: Logger
    private let startUnixNs = Clock.unixNs
    private let startNs = Clock.monotonicNs
    private let stage = Atomic<Int>(DaemonStage.serving.rawValue)
    private let listeners = Mutex<[DaemonObservation.Listener]>([])
    private let seen = Mutex(Seen())

    /// What `run` leaves for the others. Times are monotonic.
    private struct Seen {
        var recent = DaemonObservation.Recent()
        var database = DatabaseObservation()
        var answeredNs: UInt64?
        var stateSinceNs: UInt64?
    }

    private static let periodMs = 1_000
    /// Looks at a database that is well.
    private static let lookPeriodNs: UInt64 = 2_000_000_000
    /// Between two times that memory of a burst that is over goes back to the system.
    private static let tidyPeriodNs: UInt64 = 10_000_000_000
    /// For so long a database may be away before clients are told to look for another daemon: a
    /// restart of the server is shorter.
    private static let patienceNs: UInt64 = 10_000_000_000

    init(
        _ parts: ObservedParts, database: DatabaseSettings, partitionsAheadNs: Int64,
        health: HealthStatus, stop: StopSignal, logger: Logger
    ) {
        self.parts = parts
        self.database = database
        self.health = health
        aheadNsMin = Observer.aheadNsMin(configuredNs: UInt64(partitionsAheadNs))
        self.stop = stop
        self.logger = logger
    }

    /// Half of what the janitor keeps ready, at most an hour; where that is less than an hour,
    /// partitions may well be made on demand.
    static func aheadNsMin(configuredNs: UInt64) -> UInt64 {
        let hourNs: UInt64 = 3_600_000_000_000
        return configuredNs < hourNs ? 0 : min(hourNs, configuredNs / 2)
    }

    // MARK: Told by the daemon

    func serves(_ listener: DaemonObservation.Listener) {
        listeners.withLock { $0.append(listener) }
    }

    /// From now on clients are told to go elsewhere.
    func beginsDraining() {
        stage.store(DaemonStage.draining.rawValue, ordering: .relaxed)
        health.beginDrain()
    }

    // MARK: Watching

    /// Works until the daemon stops.
    func run() {
        var probe = DatabaseProbe(database, aheadNsMin: aheadNsMin, stop: stop)
        var throughput = Throughput()
        var nextLookNs: UInt64 = 0
        var nextTidyNs = Clock.monotonicNs + Observer.tidyPeriodNs
        repeat {
            let nowNs = Clock.monotonicNs
            if nowNs >= nextTidyNs {
                nextTidyNs = nowNs + Observer.tidyPeriodNs
                parts.budget.arenas.giveBackResting()
                ProcessMemory.giveBackHeaps()
            }
            throughput.take(
                parts.counters, ackLatency: .sum(parts.ackLatencies.flatMap(\.all)), nowNs: nowNs)
            let recent = throughput.recent
            seen.withLock { $0.recent = recent }
            guard nowNs >= nextLookNs else { continue }
            let isWell = look(&probe)
            nextLookNs = isWell ? nowNs + Observer.lookPeriodNs : nowNs
        } while !stop.wait(delayMs: Observer.periodMs)
    }

    /// Looks, and leaves what was seen. Whether the database is well.
    private func look(_ probe: inout DatabaseProbe) -> Bool {
        let result = probe.look()
        let nowNs = Clock.monotonicNs
        let judgement: DatabaseJudgement
        var look: (found: DatabaseLook, roundTripNs: UInt64)?
        switch result {
        case .answered(let found, let roundTripNs):
            judgement = DatabaseJudgement(
                found, wantedVersion: Migration.newestVersion,
                isDiskFull: parts.commits.isDiskFull(nowNs: nowNs))
            look = (found, roundTripNs)
        case .failed(let error):
            guard error.disposition != .stopped else { return true }
            judgement = DatabaseJudgement(error)
        }
        let ahead = probe.partitionsAhead(nowNs: nowNs)
        let (before, sinceNs) = seen.withLock { seen in
            let before = seen.database.state
            if seen.stateSinceNs == nil || before != judgement.state { seen.stateSinceNs = nowNs }
            seen.database.state = judgement.state
            seen.database.reason = judgement.reason
            seen.database.partitionsAhead = ahead
            if let look {
                seen.answeredNs = nowNs
                seen.database.roundTripNs = look.roundTripNs
                seen.database.serverVersion = DatabaseSchema.text(
                    serverVersion: look.found.serverVersion)
                seen.database.schemaVersion = look.found.schemaVersion
            }
            return (before, seen.stateSinceNs ?? nowNs)
        }
        log(judgement, before: before)
        follow(judgement, forNs: nowNs - sinceNs)
        return judgement.state == .ok
    }

    private func log(_ judgement: DatabaseJudgement, before: DatabaseState) {
        guard judgement.state != before else { return }
        if judgement.state == .ok {
            if before != .unknown { logger.notice("the database is well again") }
        } else {
            logger.warning(
                "the database is not well",
                metadata: [
                    "state": "\(judgement.state.rawValue)",
                    "reason": "\(judgement.reason ?? "")",
                ])
        }
    }

    /// Tells gRPC's health service. As long as a spool takes what the database does not, clients
    /// are served.
    private func follow(_ judgement: DatabaseJudgement, forNs: UInt64) {
        let isBridged = parts.outage.observeSpool()?.isReady ?? false
        health.isAway =
            judgement.takesNothing && forNs >= Observer.patienceNs && !isBridged
    }

    private var currentStage: DaemonStage {
        DaemonStage(rawValue: stage.load(ordering: .relaxed)) ?? .serving
    }

    // MARK: DaemonObserver

    var authenticator: any Authenticator { parts.tokens }

    func observe() -> DaemonObservation {
        let nowNs = Clock.monotonicNs
        var daemon = DaemonObservation()
        daemon.version = Version.text
        daemon.startUnixNs = startUnixNs
        daemon.uptimeNs = nowNs - startNs
        daemon.stage = currentStage
        daemon.listeners = listeners.withLock { $0 }
        daemon.certificate = parts.tls?.observe()
        daemon.counters = parts.counters
        for signal in Signal.allCases {
            daemon.ackLatency[signal] = .sum(parts.ackLatencies.map { $0[signal] })
        }
        daemon.commitLatency = .sum(parts.writers.map(\.commitLatency))
        daemon.dimensionEntryCount = parts.writers.reduce(0) { $0 + $1.dimensionEntryCount }
        daemon.commits = parts.commits.observe(nowNs: nowNs)
        daemon.breaker = parts.outage.observeBreaker()
        daemon.spool = parts.outage.observeSpool()
        daemon.auth = parts.tokens.observe()
        daemon.process = ProcessFigures.observe()
        observeLoad(&daemon, nowNs: nowNs)
        let seen = self.seen.withLock { $0 }
        daemon.recent = seen.recent
        daemon.database = seen.database
        daemon.database.answeredAgeNs = seen.answeredNs.map { nowNs - min($0, nowNs) }
        daemon.database.stateAgeNs = nowNs - min(seen.stateSinceNs ?? startNs, nowNs)
        daemon.database.schemaVersionWanted = Migration.newestVersion
        daemon.database.partitionsAheadNsMin = aheadNsMin
        return daemon
    }

    private func observeLoad(_ daemon: inout DaemonObservation, nowNs: UInt64) {
        let depth = parts.ring.depth
        daemon.ring.exportCount = depth.exportCount
        daemon.ring.itemCount = depth.itemCount
        daemon.ring.exportCountMax = parts.ring.slotCountMax
        daemon.memory.inUseBytes = parts.budget.inUseBytes
        daemon.memory.limitBytes = parts.budget.limitBytes
        daemon.connections.openCount = parts.places.count
        daemon.connections.countMax = parts.places.countMax
        daemon.writers.count = parts.life.writerCount
        daemon.writers.busyCount = parts.life.busyWriterCount
        daemon.writers.isStalled = !parts.life.areWritersAlive(nowNs: nowNs)
        daemon.loops.count = parts.life.loopCount
        daemon.loops.isStalled = !parts.life.areLoopsAlive(nowNs: nowNs)
    }
}
