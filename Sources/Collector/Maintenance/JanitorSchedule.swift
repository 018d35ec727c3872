// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What is done to the database beside storing.
enum JanitorTask: CaseIterable, Sendable {
    /// Keeps partitions ready ahead of time.
    case makePartitions
    /// Learns which times are to be stored.
    case followPolicy
    /// Brings `last_seen` of dimensions up to date.
    case noteSightings
    /// Drops what has expired.
    case dropExpired
    /// Deletes rows of tenants whose time is shorter.
    case deleteTenantRows
    /// Keeps the maintenance log from growing for ever.
    case pruneLog
    /// Builds the indexes of partitions whose time is over.
    case closePartitions
    /// Empties the slot of the export ledger whose windows are over.
    case clearLedger
    /// Forgets which rows were stored when.
    case pruneBatches
    /// Deletes the oldest dead letters where there are too many.
    case capDeadLetters
    /// Writes to the loss ledger what no transaction did.
    case flushLosses
    /// Computes the edges of the service map.
    case mapServices

    private static let minuteNs: UInt64 = 60_000_000_000

    /// From the end of one run to the begin of the next; nil is never.
    func periodNs(_ settings: JanitorSettings) -> UInt64? {
        switch self {
        // Often enough to meet every window of the ledger while its slot is idle.
        case .clearLedger:
            settings.dedupWindowSeconds == 0
                ? nil
                : max(1, min(UInt64(settings.dedupWindowSeconds) / 2, 600)) * 1_000_000_000
        case .flushLosses: JanitorTask.minuteNs / 6
        case .followPolicy: JanitorTask.minuteNs / 2
        case .mapServices: settings.isServiceMapKept ? JanitorTask.minuteNs : nil
        case .dropExpired, .capDeadLetters, .pruneBatches: JanitorTask.minuteNs
        case .noteSightings: 5 * JanitorTask.minuteNs
        case .makePartitions, .deleteTenantRows, .closePartitions: 10 * JanitorTask.minuteNs
        case .pruneLog: 60 * JanitorTask.minuteNs
        }
    }

    /// From a failure to the next attempt.
    var retryNs: UInt64 {
        switch self {
        case .makePartitions, .followPolicy: JanitorTask.minuteNs / 4
        default: JanitorTask.minuteNs
        }
    }

    var lane: JanitorLane {
        switch self {
        case .makePartitions, .followPolicy, .noteSightings, .clearLedger, .flushLosses,
            .pruneBatches:
            .upkeep
        case .dropExpired, .capDeadLetters, .deleteTenantRows, .pruneLog: .retention
        case .closePartitions: .closing
        case .mapServices: .mapping
        }
    }
}

/// Tasks that share a thread: what is quick and urgent does not wait for what is long.
enum JanitorLane: String, CaseIterable, Sendable {
    case upkeep, retention, closing, mapping

    var tasks: [JanitorTask] { JanitorTask.allCases.filter { $0.lane == self } }
}

/// When each task of a lane is due. Time is given, not asked for.
struct JanitorSchedule {
    private struct Entry {
        let task: JanitorTask
        let periodNs: UInt64
        /// Monotonic nanoseconds.
        var dueNs: UInt64 = 0
    }

    private var entries: [Entry]

    /// Everything is due at once.
    init(_ lane: JanitorLane, _ settings: JanitorSettings) {
        entries = lane.tasks.compactMap { task in
            task.periodNs(settings).map { Entry(task: task, periodNs: $0) }
        }
    }

    func due(nowNs: UInt64) -> [JanitorTask] {
        entries.filter { $0.dueNs <= nowNs }.map(\.task)
    }

    mutating func ran(_ task: JanitorTask, nowNs: UInt64, isDone: Bool) {
        guard let index = entries.firstIndex(where: { $0.task == task }) else { return }
        let periodNs = entries[index].periodNs
        entries[index].dueNs = nowNs + (isDone ? periodNs : min(periodNs, task.retryNs))
    }

    /// Until the next task is due, rounded up; 0 when one is, an hour where all tasks are off.
    func delayMs(nowNs: UInt64) -> Int {
        let nextNs = entries.map(\.dueNs).min() ?? nowNs + 60 * 60_000_000_000
        guard nextNs > nowNs else { return 0 }
        return Int(clamping: (nextNs - nowNs - 1) / 1_000_000 + 1)
    }
}
