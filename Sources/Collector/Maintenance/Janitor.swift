// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Logging
internal import Postgres

/// What the janitor goes by.
struct JanitorSettings: Sendable {
    /// How far ahead of now partitions are kept ready.
    var aheadNs: Int64
    /// From a partition's last moment to the making of its late index.
    var closeAfterNs: Int64
    /// The resource attribute that names the tenant.
    var tenantAttribute: String
    /// `durability.dedup_window`; 0 keeps no ledger.
    var dedupWindowSeconds: Int64
    /// Dead letters beyond which the oldest are deleted, and their bytes.
    var deadLetterCountMax: Int
    var deadLettersSizeBytesMax: Int
    /// `service_map.enabled`.
    var isServiceMapKept: Bool

    init(_ configuration: Configuration) {
        aheadNs = configuration.partitions.aheadNs
        closeAfterNs = configuration.partitions.closeAfterNs
        tenantAttribute = configuration.retention.tenantAttribute
        dedupWindowSeconds = configuration.durability.dedupWindowNs / 1_000_000_000
        deadLetterCountMax = configuration.deadLetters.rowCountMax
        deadLettersSizeBytesMax = configuration.deadLetters.sizeBytesMax
        isServiceMapKept = configuration.serviceMap.isEnabled
    }
}

/// Looks after the database beside storing: partitions, retention, indexes, `last_seen`.
///
/// Each lane is a thread, with a connection for as long as it has something to do. Nothing on the
/// way of an export waits for it. Thread: `run` is the thread.
struct Janitor: Sendable {
    let settings: JanitorSettings
    let database: DatabaseSettings
    let partitions: PartitionMaker
    let accepted: AcceptedTimes
    let sightings: SightingNotes
    let losses: LossNotes
    let counters: Counters
    var time = TimeSource.system
    let stop: StopSignal
    let logger: Logger

    /// Tenants' rows are deleted for as long at a time; expired partitions wait meanwhile.
    private static let tenantTurnMs = 120_000

    /// Works until the daemon stops.
    func run(_ lane: JanitorLane) {
        var schedule = JanitorSchedule(lane, settings)
        while !stop.wait(delayMs: schedule.delayMs(nowNs: time.monotonicNs())) {
            runDue(&schedule)
        }
    }

    /// Does what is due.
    func runDue(_ schedule: inout JanitorSchedule) {
        let due = schedule.due(nowNs: time.monotonicNs())
        guard !due.isEmpty else { return }
        var connection: PGConnection?
        for task in due {
            if task == .flushLosses && losses.isEmpty {
                schedule.ran(task, nowNs: time.monotonicNs(), isDone: true)
                continue
            }
            let isDone = attempt(task, on: &connection)
            schedule.ran(task, nowNs: time.monotonicNs(), isDone: isDone)
        }
    }

    /// Whether it succeeded; a failure is logged. Connects where there is no usable connection.
    private func attempt(_ task: JanitorTask, on connection: inout PGConnection?) -> Bool {
        do throws(DatabaseError) {
            if !(connection?.isUsable ?? false) {
                connection = nil
                connection = try PGConnection.connect(
                    database.listed(as: "janitor"), stop: stop)
            }
            guard var current = connection.take() else { preconditionFailure("just connected") }
            let result: Result<Void, DatabaseError>
            do throws(DatabaseError) {
                result = .success(try run(task, on: &current))
            } catch {
                result = .failure(error)
            }
            connection = consume current
            try result.get()
            return true
        } catch {
            if error.disposition != .stopped {
                logger.warning(
                    "\(Janitor.failureText(task))", metadata: ["error": "\(error)"])
            }
            return false
        }
    }

    private static func failureText(_ task: JanitorTask) -> String {
        switch task {
        case .makePartitions: "partitions could not be made ahead"
        case .followPolicy: "the retention policy could not be read"
        case .noteSightings: "last_seen could not be brought up to date"
        case .dropExpired: "expired partitions could not be dropped"
        case .deleteTenantRows: "rows of tenants could not be deleted"
        case .pruneLog: "old entries of the maintenance log could not be deleted"
        case .closePartitions: "indexes of past partitions could not be built"
        case .pruneBatches: "what was stored when could not be forgotten"
        case .clearLedger: "the export ledger could not be cleared"
        case .flushLosses: "the loss ledger could not be brought up to date"
        case .capDeadLetters: "dead letters could not be purged"
        case .mapServices: "the service map could not be brought up to date"
        }
    }

    private func run(
        _ task: JanitorTask, on connection: inout PGConnection
    ) throws(DatabaseError) {
        switch task {
        case .makePartitions: try makePartitions(on: &connection)
        case .followPolicy:
            accepted.follow(
                try connection.loadRetentionPolicy(deadlineNs: database.statementDeadlineNs))
        case .noteSightings: try noteSightings(on: &connection)
        case .dropExpired: try dropExpired(on: &connection)
        case .deleteTenantRows: try deleteTenantRows(on: &connection)
        case .pruneLog:
            try connection.pruneMaintenanceLog(deadlineNs: database.statementDeadlineNs)
            try connection.pruneLossLedger(deadlineNs: database.statementDeadlineNs)
        case .closePartitions: try closePartitions(on: &connection)
        case .clearLedger: try clearLedger(on: &connection)
        case .pruneBatches:
            try connection.pruneRowBatches(deadlineNs: database.statementDeadlineNs)
        case .flushLosses:
            try losses.flush(on: &connection, deadlineNs: database.statementDeadlineNs)
        case .capDeadLetters: try capDeadLetters(on: &connection)
        case .mapServices: try mapServices(on: &connection)
        }
    }
}

// The tasks.
extension Janitor {
    private func makePartitions(on connection: inout PGConnection) throws(DatabaseError) {
        let createdCount = try partitions.ensureAhead(
            tables: FactTable.allCases.map(\.name), nowUnixNs: Int64(time.unixNs()),
            aheadNs: settings.aheadNs, on: &connection,
            deadlineNs: database.statementDeadlineNs)
        if createdCount > 0 {
            logger.info("partitions made", metadata: ["count": "\(createdCount)"])
        }
    }

    private func noteSightings(on connection: inout PGConnection) throws(DatabaseError) {
        let notes = sightings.take()
        for kind in SightedDimension.allCases {
            try connection.noteSightings(
                of: kind, ids: notes[kind], deadlineNs: database.statementDeadlineNs)
        }
    }

    private func dropExpired(on connection: inout PGConnection) throws(DatabaseError) {
        let round = RetentionRound(
            nowUnixNs: try safeNowNs(on: &connection), cache: partitions.cache)
        try round.run(on: &connection) { event in
            switch event {
            case .dropped(let expiry, let freedBytes):
                logger.notice(
                    "partition dropped",
                    metadata: [
                        "partition": "\(expiry.partition.name)", "reason": "\(expiry.reason)",
                        "bytes_freed": "\(freedBytes)",
                    ])
            case .finished(let finished):
                logger.notice(
                    "an unfinished drop was completed",
                    metadata: [
                        "partition": "\(finished.partition.name)",
                        "bytes_freed": "\(finished.freedBytes ?? 0)",
                    ])
            case .postponed(let expiry, let error):
                logger.warning(
                    "a partition could not be dropped now",
                    metadata: ["partition": "\(expiry.partition.name)", "error": "\(error)"])
            }
        }
    }

    private func deleteTenantRows(on connection: inout PGConnection) throws(DatabaseError) {
        let retention = TenantRetention(
            nowUnixNs: try safeNowNs(on: &connection), attribute: settings.tenantAttribute)
        let deletions = try retention.run(
            on: &connection, untilNs: Deadline.inMs(Janitor.tenantTurnMs))
        for deletion in deletions ?? [] {
            logger.notice(
                "rows of a tenant deleted",
                metadata: [
                    "signal": "\(deletion.signal.policyName)", "tenant": "\(deletion.tenant)",
                    "rows": "\(deletion.rowCount)",
                ])
        }
    }

    private func closePartitions(on connection: inout PGConnection) throws(DatabaseError) {
        let closer = PartitionCloser(
            nowUnixNs: try safeNowNs(on: &connection), afterNs: settings.closeAfterNs)
        try closer.run(on: &connection) { built in
            logger.info(
                "index built",
                metadata: [
                    "partition": "\(built.partition.name)", "column": "\(built.index.column)",
                    "duration_ms": "\(built.durationMs)",
                ])
        }
    }

    private func clearLedger(on connection: inout PGConnection) throws(DatabaseError) {
        let window = LedgerWindow(lengthSeconds: settings.dedupWindowSeconds)
        let isCleared = try connection.clearIdleLedgerSlot(
            window, deadlineNs: database.statementDeadlineNs)
        if isCleared { logger.debug("a slot of the export ledger was emptied") }
    }

    /// In steps, so that no transaction is long. Several daemons at it do no harm.
    private func capDeadLetters(on connection: inout PGConnection) throws(DatabaseError) {
        let cut = try connection.deadLetterCut(
            rowCountMax: settings.deadLetterCountMax,
            sizeBytesMax: settings.deadLettersSizeBytesMax,
            deadlineNs: database.statementDeadlineNs)
        guard let cut else { return }
        var count: Int64 = 0
        var sizeBytes: Int64 = 0
        while true {
            let purged = try connection.purgeDeadLetters(
                DeadLetterFilter(), throughID: cut, limit: Janitor.purgedPerStatement,
                deadlineNs: database.statementDeadlineNs)
            guard purged.count > 0 else { break }
            count += purged.count
            sizeBytes += purged.sizeBytes
        }
        guard count > 0 else { return }
        let reason = "more than dead_letters.rows_max or dead_letters.bytes_max"
        try connection.logDeadLetterPurge(
            count: count, sizeBytes: sizeBytes, reason: reason,
            deadlineNs: database.statementDeadlineNs)
        logger.warning(
            "the oldest dead letters were purged",
            metadata: ["count": "\(count)", "bytes": "\(sizeBytes)", "reason": "\(reason)"])
    }

    private static let purgedPerStatement = 10_000

    private func mapServices(on connection: inout PGConnection) throws(DatabaseError) {
        let startNs = time.monotonicNs()
        let round = ServiceEdgeRound(
            nowUnixNs: try safeNowNs(on: &connection), tenantAttribute: settings.tenantAttribute)
        guard let outcome = try round.run(on: &connection) else { return }
        counters.add(.serviceMapMinutesComputed, outcome.computedCount)
        counters.add(.serviceMapMinutesUnchanged, outcome.unchangedCount)
        counters.add(.serviceMapEdges, Int(outcome.edgeCount))
        counters.add(.serviceMapEdgesOmitted, Int(outcome.omittedEdgeCount))
        let figures: Logger.Metadata = [
            "minutes": "\(outcome.computedCount)", "edges": "\(outcome.edgeCount)",
            "unchanged_minutes": "\(outcome.unchangedCount)",
            "hours": "\(outcome.hourCount)", "pruned_minutes": "\(outcome.prunedCount)",
            "left_minutes": "\(outcome.leftCount)",
            "omitted_edges": "\(outcome.omittedEdgeCount)",
            "figure_minutes": "\(outcome.figureMinuteCount)",
            "figure_hours": "\(outcome.figureHourCount)",
            "duration_ms": "\((time.monotonicNs() - startNs) / 1_000_000)",
        ]
        if outcome.leftCount > 0 {
            logger.notice("the service map is behind", metadata: figures)
        } else {
            logger.debug("the service map is up to date", metadata: figures)
        }
    }

    /// The lesser of two clocks, so that one that is ahead drops nothing early.
    private func safeNowNs(on connection: inout PGConnection) throws(DatabaseError) -> Int64 {
        min(
            Int64(time.unixNs()),
            try connection.serverUnixNs(deadlineNs: database.statementDeadlineNs))
    }
}
