// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import GRPC
internal import HTTP2
internal import Logging
internal import Postgres
internal import Ring
internal import Rows
internal import Socket
internal import Spool
internal import TLS

/// The data path, wired: which station is connected to which, how many there are of each, and who
/// ends first. The only place that knows stations which are not neighbours.
final class Pipeline {
    let counters: Counters
    let retryHint: RetryHint
    /// Where OTLP/gRPC is served, with the real port.
    let endpoint: Endpoint?
    let observer: Observer
    /// Takes what arrives over OTLP/HTTP.
    let httpIntake: HTTPIntake
    /// Where all who turn connections away say so.
    var connectionLog: ConnectionLog { httpIntake.log }
    private let stop: StopSignal
    private let ring: BoundedRing
    private let durability: Durability
    private let largeDecoder: LargeDecoder
    private let loops: [IngestLoop]
    private let writers: [Writer]
    private let janitor: Janitor
    private let losses: LossNotes
    private let database: DatabaseSettings
    private let promotionUpdater: PromotionUpdater
    private let tokenKeeper: TokenKeeper
    private var tokenThread: WorkerThread?
    private let life: PipelineLife
    private var observerThread: WorkerThread?
    private var writerThreads: [WorkerThread] = []
    private var loopThreads: [WorkerThread] = []
    private var janitorThreads: [WorkerThread] = []
    private let logger: Logger
    /// Used by `sweep` only.
    private var unwanted = ExportBatch(exportCountMax: 256)

    /// Makes every part and binds the listening sockets; nothing runs yet. `inherited` is the
    /// descriptor of one that systemd bound; it belongs to the pipeline then.
    init(
        _ configuration: Configuration, partitions: PartitionMaker, database: DatabaseSettings,
        spool: Spool?, inherited: Int32?, tls: TLSKeeper?, counters: Counters, stop: StopSignal,
        logger: Logger
    ) throws(SystemError) {
        Limits.checkSums()
        Decoder.prepare()
        (self.counters, self.stop, self.logger) = (counters, stop, logger)
        let budget = MemoryBudget(limitBytes: configuration.memory.budgetBytes)
        ring = BoundedRing(slotCountMax: configuration.ring.exportCountMax)
        losses = LossNotes(
            tenantAttribute: configuration.retention.tenantAttribute, counters: counters)
        durability = Durability(
            configuration, ring: ring, budget: budget, counters: counters, losses: losses,
            spool: spool, database: database, stop: stop, logger: logger)
        retryHint = durability.retryHint
        self.database = database
        let committed = CommittedExports(windowNs: UInt64(configuration.durability.dedupWindowNs))
        let intake = Intake(
            budget: budget, counters: counters, ring: durability.intakeRing, retryHint: retryHint,
            bufferLedger: durability.bufferLedger, committed: committed, losses: losses,
            messageSizeBytesMax: configuration.limits.requestSizeBytesMax,
            decodeLimits: durability.decodeLimits,
            tenantAttribute: configuration.retention.tenantAttribute)
        largeDecoder = LargeDecoder(intake: intake)
        let promotion = CurrentPromotion(configuration.attributes.rules)
        promotionUpdater = PromotionUpdater(
            promotion, database: database, stop: stop, logger: logger)
        let accepted = AcceptedTimes(configuration.partitions)
        let sightings = SightingNotes()
        let commits = CommitMarks()
        let writerShared = WriterShared(
            ring: ring, budget: budget, counters: counters, retryHint: retryHint, stop: stop,
            logger: logger, database: database, partitions: partitions, accepted: accepted,
            promotion: promotion, sightings: sightings, outage: durability.store,
            committed: committed, commits: commits, losses: losses,
            settings: WriterSettings(configuration))
        writers = (0..<configuration.database.writerCount).map {
            Writer(name: "writer-\($0)", shared: writerShared)
        }
        janitor = Janitor(
            settings: JanitorSettings(configuration), database: database, partitions: partitions,
            accepted: accepted, sightings: sightings, losses: losses, counters: counters,
            stop: stop, logger: logger)
        let health = HealthStatus()
        tokenKeeper = TokenKeeper(
            configuration.auth, counters: counters, database: database, stop: stop, logger: logger)
        let (listen, log) = (configuration.listen, ConnectionLog(logger))
        let shared = IngestShared(
            admission: Admission(intake: intake, largeDecoder: largeDecoder), budget: budget,
            counters: counters, retryHint: retryHint, health: health, tokens: tokenKeeper.cache,
            http2: HTTP2Settings(configuration), grpc: GRPCSettings(configuration),
            times: ConnectionTimes(configuration.connections),
            places: ConnectionAdmission(configuration.limits),
            proxyGate: listen.proxyGate(of: .grpc, counters, log), log: log)
        httpIntake = HTTPIntake(
            shared, configuration.server, proxyGate: listen.proxyGate(of: .http, counters, log))
        (loops, endpoint) = try Pipeline.makeLoops(configuration, inherited, shared, tls)
        life = PipelineLife(
            loops: loops.map(\.control), lanes: httpIntake.controls,
            writers: writers.map(\.progress), database: database)
        observer = Observer(
            ObservedParts(
                counters: counters, ring: ring, budget: budget, places: shared.places,
                commits: commits, outage: durability.store, tokens: shared.tokens,
                ackLatencies: loops.map(\.ackLatency) + httpIntake.ackLatencies,
                writers: writers.map(\.progress), life: life, tls: tls),
            database: database, partitionsAheadNs: configuration.partitions.aheadNs,
            health: health, stop: stop, logger: logger)
    }

    private static func makeLoops(
        _ configuration: Configuration, _ inherited: Int32?, _ shared: IngestShared,
        _ tls: TLSKeeper?
    ) throws(SystemError) -> ([IngestLoop], Endpoint?) {
        var loops: [IngestLoop] = []
        let first: Listener
        if let inherited {
            first = try Listener(adopting: inherited, name: "grpc")
        } else if let wanted = configuration.listen.grpc {
            first = try Listener(wanted, unixMode: UInt32(configuration.listen.unixMode))
        } else {
            return ([], nil)
        }
        let bound = first.endpoint
        let acceptor = tls?.acceptor(for: .grpc, at: bound)
        for _ in 1..<max(1, configuration.server.loopCount) {
            loops.append(
                try IngestLoop(shared: shared, listener: first.another(), acceptor: acceptor))
        }
        loops.append(try IngestLoop(shared: shared, listener: first, acceptor: acceptor))
        return (loops, bound)
    }

    // MARK: Life

    /// Lets go of the exports in the ring that nobody waits for any more, so that they take no
    /// memory and no slots from others while the database is slow or away.
    func sweep() {
        let nowNs = Clock.monotonicNs
        var isMore = true
        while isMore {
            ring.take(into: &unwanted) { !$0.isWanted(nowNs: nowNs) }
            isMore = unwanted.isFull
            unwanted.settleFirst(unwanted.count) { _, pending in
                losses.refused(pending)
                return .expired
            }
        }
    }

    /// Starts the threads, from the database towards the clients.
    func start() {
        for (index, writer) in writers.enumerated() {
            writerThreads.append(WorkerThread(name: "writer-\(index)") { writer.run() })
        }
        durability.start()
        largeDecoder.start()
        promotionUpdater.start()
        let tokenKeeper = self.tokenKeeper
        tokenKeeper.readOnce()
        tokenThread = WorkerThread(name: "tokens") { tokenKeeper.run() }
        let janitor = self.janitor
        janitorThreads = JanitorLane.allCases.map { lane in
            WorkerThread(name: lane.rawValue) { janitor.run(lane) }
        }
        let observer = self.observer
        observerThread = WorkerThread(name: "observer") { observer.run() }
        for (index, loop) in loops.enumerated() {
            let box = LoopBox(loop)
            loopThreads.append(
                WorkerThread(name: "loop-\(index)", stackSizeBytes: Limits.decodeStackSizeBytes) {
                    box.loop.run()
                })
        }
    }

    /// Serves what is in flight and takes nothing new, until all connections are gone, those of
    /// `http` too, or `isOver` says to stop waiting; returns whether they are gone.
    func drain(with http: any ExportServer, isOver: () -> Bool) -> Bool {
        observer.beginsDraining()
        advanceLoops(to: .draining)
        while !http.isDrained || !loops.allSatisfy(\.control.isEmpty) {
            if isOver() { return false }
            // A loop says that it is empty in its turn, which the wake-up makes it take.
            for loop in loops { loop.wakeup.signal() }
        }
        return true
    }

    /// Takes over what may change while running.
    func adopt(_ configuration: Configuration) {
        promotionUpdater.adopt(configuration.attributes.rules)
    }

    /// Ends everything: what is still in flight is told to come back.
    func end() {
        largeDecoder.closeAndJoin()
        // What clients are still to hear of goes to the writers or to the spool.
        durability.closeIntake()
        stop.fire()
        ring.close()
        for thread in writerThreads { thread.join() }
        durability.closeAndJoin()
        for thread in janitorThreads { thread.join() }
        promotionUpdater.closeAndJoin()
        observerThread?.join()
        tokenThread?.join()
        flushLosses()
        // Only now, so that the last outcomes still reach their clients.
        advanceLoops(to: .stopping)
        for thread in loopThreads { thread.join() }
    }

    /// Writes what the loss ledger lacks, if the database is there.
    private func flushLosses() {
        var settings = database
        settings.connectTimeoutMs = min(settings.connectTimeoutMs, Pipeline.lastWordsMs)
        settings.statementTimeoutMs = min(settings.statementTimeoutMs, Pipeline.lastWordsMs)
        do throws(DatabaseError) {
            guard !losses.isEmpty else { return }
            var connection = try PGConnection.connect(settings, stop: StopSignal())
            try losses.flush(on: &connection, deadlineNs: settings.statementDeadlineNs)
        } catch {
            logger.warning(
                "the loss ledger lacks what was refused last", metadata: ["error": "\(error)"])
        }
    }

    private static let lastWordsMs = 2_000

    private func advanceLoops(to stage: IngestLoopControl.Stage) {
        for loop in loops {
            loop.control.advance(to: stage)
            loop.wakeup.signal()
        }
    }

    /// True while every loop turns and every writer that has work makes progress.
    func isAlive(nowNs: UInt64) -> Bool { life.isAlive(nowNs: nowNs) }
}

/// Hands a loop to the one thread that will run it.
private final class LoopBox: @unchecked Sendable {
    let loop: IngestLoop
    init(_ loop: IngestLoop) { self.loop = loop }
}

extension WriterSettings {
    init(_ configuration: Configuration) {
        self.init(
            interval: configuration.partitions.interval,
            itemCountMax: configuration.batch.rowCountMax,
            sizeBytesMax: configuration.batch.sizeBytesMax,
            dedupWindowSeconds: configuration.durability.dedupWindowNs / 1_000_000_000,
            tenantAttribute: configuration.retention.tenantAttribute,
            deadLettersSizeBytesMax: configuration.deadLetters.sizeBytesMax / 4,
            // All of them together no more than a quarter of the budget.
            keptSizeBytes: min(
                WriterSettings.keptSizeBytesMax,
                configuration.memory.budgetBytes / 4
                    / (configuration.database.writerCount * FactTable.allCases.count)))
    }
}

extension HTTP2Settings {
    fileprivate init(_ configuration: Configuration) {
        self.init()
        concurrentStreamsMax = configuration.limits.concurrentStreamCountMax
        headerListBytesMax = configuration.limits.headerListSizeBytesMax
        streamWindowBytes = configuration.http2.streamWindowBytes
        connectionWindowBytes = configuration.http2.connectionWindowBytes
        pings.intervalNs = UInt64(configuration.connections.pingIntervalNsMin)
    }
}

extension GRPCSettings {
    fileprivate init(_ configuration: Configuration) {
        self.init()
        messageSizeBytesMax = configuration.limits.requestSizeBytesMax
        deadlineNs = UInt64(configuration.limits.requestDeadlineMs) * 1_000_000
    }
}

extension AcceptedTimes {
    fileprivate convenience init(_ partitions: Configuration.Partitions) {
        self.init(
            pastNs: UInt64(partitions.acceptPastNs), futureNs: UInt64(partitions.acceptFutureNs))
    }
}

extension Configuration.Listen {
    fileprivate func proxyGate(
        of listener: ListenerName, _ counters: Counters, _ log: ConnectionLog
    ) -> ProxyGate {
        let isProxied = isBehindProxy && proxyListeners.contains(listener)
        return ProxyGate(
            proxies: isProxied ? proxyAddresses : nil, counters: counters, log: log)
    }
}

extension ConnectionAdmission {
    fileprivate convenience init(_ limits: Configuration.RequestLimits) {
        self.init(
            countMax: limits.connectionCountMax, perSourceMax: limits.connectionsPerAddressMax)
    }
}

extension ConnectionTimes {
    fileprivate init(_ configuration: Configuration.Connections) {
        self.init()
        handshakeNsMax = UInt64(configuration.handshakeNsMax)
        headerBlockNsMax = handshakeNsMax
        keepaliveIntervalNs = UInt64(configuration.keepaliveIntervalNs)
        keepaliveNsMax = UInt64(configuration.keepaliveNsMax)
        idleNsMax = UInt64(configuration.idleNsMax)
        ageNsMax = UInt64(configuration.ageNsMax)
        graceNs = UInt64(configuration.ageGraceNs)
    }
}
