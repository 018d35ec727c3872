// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Logging
internal import Postgres

/// A thread that brings the database to new rules for attributes: adds the columns, then the views,
/// then lets the writers use them.
///
/// What is not to be stored any more holds at once, before any of that.
/// Thread: `adopt` any.
final class PromotionUpdater: @unchecked Sendable {
    private let promotion: CurrentPromotion
    private let database: DatabaseSettings
    private let stop: StopSignal
    private let logger: Logger
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var wanted: AttributeRules?
    private var isClosed = false
    // Set by `start`, read after `close`.
    private var thread: WorkerThread?

    private static let retryMs = 15_000
    /// For locks that writers hold, and catalogue changes.
    private static let columnsTimeoutMs = 60_000

    init(
        _ promotion: CurrentPromotion, database: DatabaseSettings, stop: StopSignal, logger: Logger
    ) {
        self.promotion = promotion
        self.database = database
        self.stop = stop
        self.logger = logger
    }

    func start() {
        thread = WorkerThread(name: "promotion") { [self] in
            while let rules = nextRules() { apply(rules) }
        }
    }

    /// Takes new rules over; the columns follow in the background.
    func adopt(_ rules: AttributeRules) {
        promotion.adopt(rules)
        monitor.withLock {
            wanted = rules
            monitor.signal()
        }
    }

    /// Ends the thread; the stop signal was fired before.
    func closeAndJoin() {
        monitor.withLock {
            isClosed = true
            monitor.broadcast()
        }
        thread?.join()
    }

    private func nextRules() -> AttributeRules? {
        monitor.lock()
        defer { monitor.unlock() }
        while wanted == nil {
            if isClosed { return nil }
            monitor.wait()
        }
        defer { wanted = nil }
        return isClosed ? nil : wanted
    }

    private var hasNewerRules: Bool { monitor.withLock { wanted != nil } }

    /// Tries until it is done, there are newer rules, or the daemon stops.
    private func apply(_ rules: AttributeRules) {
        repeat {
            do throws(DatabaseError) {
                try addColumns(rules)
                return
            } catch {
                guard error.disposition != .stopped else { return }
                logger.warning(
                    "columns for attributes could not be added, tried again later",
                    metadata: ["error": "\(error)"])
            }
        } while !hasNewerRules && !stop.wait(delayMs: PromotionUpdater.retryMs)
    }

    private func addColumns(_ rules: AttributeRules) throws(DatabaseError) {
        var connection = try PGConnection.connect(database, stop: stop)
        let deadlineNs = Deadline.inMs(PromotionUpdater.columnsTimeoutMs)
        let added = try PromotionColumns.ensure(
            rules.wantedColumns, on: &connection, deadlineNs: deadlineNs)
        // Before the views: those may be in use for long, and the columns are good without them.
        try promotion.refresh(on: &connection, deadlineNs: deadlineNs)
        if !added.isEmpty {
            logger.notice(
                "columns for attributes were added",
                metadata: ["columns": "\(added.map(\.column.name).joined(separator: " "))"])
        }
        try ViewMaker.refresh(on: &connection, deadlineNs: deadlineNs)
    }
}
