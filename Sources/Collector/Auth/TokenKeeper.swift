// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging
internal import Postgres
internal import Synchronization

/// Keeps the list of tokens current, over a connection of its own, and writes when they were used.
///
/// No request waits for it. Thread: `readOnce` before `run`; `run` is a thread of its own.
final class TokenKeeper: Sendable {
    /// What it keeps current.
    let cache: TokenCache
    private let notes: AuthNotes
    private let database: DatabaseSettings
    private let periodMs: Int
    private let stop: StopSignal
    private let logger: Logger

    /// Longest that a look may take, to connect and again to ask.
    private static let patienceMs = 2_000
    private static let usePeriodNs: UInt64 = 60_000_000_000
    /// Even where the stamp says that nothing has changed.
    private static let readPeriodNs: UInt64 = 600_000_000_000

    init(
        _ auth: Configuration.Auth, counters: Counters, database: DatabaseSettings,
        stop: StopSignal, logger: Logger
    ) {
        notes = AuthNotes()
        cache = TokenCache(
            isRequired: auth.isRequired, acceptsCertificates: auth.acceptsCertificates,
            counters: counters, notes: notes)
        periodMs = auth.tokenRefreshMs
        self.database = DatabaseSettings(
            url: database.url,
            connectTimeoutMs: min(database.connectTimeoutMs, TokenKeeper.patienceMs),
            statementTimeoutMs: TokenKeeper.patienceMs, applicationName: "starling tokens")
        self.stop = stop
        self.logger = logger
    }

    /// What the thread remembers from look to look.
    private struct State: ~Copyable {
        var connection: PGConnection?
        var stamp: Int64?
        var readNs: UInt64 = 0
        var useWrittenNs = Clock.monotonicNs
        /// By token, the last use that was written.
        var writtenUses: [Int64: UInt64] = [:]
        var isFailing = false
    }

    /// Reads the list if the database answers, so that the first requests find it.
    func readOnce() {
        var state = State()
        look(&state)
    }

    /// Works until the daemon stops.
    func run() {
        var state = State()
        repeat {
            look(&state)
            if Clock.monotonicNs >= state.useWrittenNs + TokenKeeper.usePeriodNs {
                writeUses(&state)
            }
            notes.log(to: logger, nowNs: Clock.monotonicNs)
        } while !stop.wait(delayMs: periodMs)
        // With a stop signal of its own: that of the daemon ends every wait.
        if var state = lastState(state) { writeUses(&state) }
    }

    private func lastState(_ state: consuming State) -> State? {
        guard !uses(of: state).isEmpty else { return nil }
        do throws(DatabaseError) {
            state.connection = try PGConnection.connect(
                database, stop: StopSignal(), deadlineNs: Deadline.inMs(TokenKeeper.patienceMs))
            return state
        } catch { return nil }
    }

    // MARK: Looking

    private func look(_ state: inout State) {
        do throws(DatabaseError) {
            try read(&state)
            if state.isFailing { logger.notice("the list of tokens is current again") }
            state.isFailing = false
        } catch {
            state.connection = nil
            guard error.disposition != .stopped, !state.isFailing else { return }
            state.isFailing = true
            logger.warning(
                "the list of tokens cannot be read; the last one goes on to count",
                metadata: ["error": "\(error)"])
        }
    }

    private func read(_ state: inout State) throws(DatabaseError) {
        if !(state.connection?.checkIdle() ?? false) {
            state.connection = nil
            // It may lead to another server, whose stamp says nothing about ours.
            state.stamp = nil
            state.connection = try PGConnection.connect(
                database, stop: stop, deadlineNs: Deadline.inMs(2 * TokenKeeper.patienceMs))
        }
        guard var connection = state.connection.take() else { preconditionFailure("connected") }
        let nowNs = Clock.monotonicNs
        let stamp = try connection.tokenStamp(deadlineNs: database.statementDeadlineNs)
        if stamp == state.stamp, nowNs < state.readNs + TokenKeeper.readPeriodNs {
            cache.confirm(nowNs: nowNs)
        } else {
            let tokens = try connection.loadTokens(
                revokedDays: TokenTable.revokedDays, countMax: TokenTable.countMax,
                deadlineNs: database.statementDeadlineNs)
            cache.adopt(
                TokenTable(
                    tokens, stamp: stamp, previous: cache.lastTable, nowUnixNs: Clock.unixNs),
                nowNs: nowNs)
            state.stamp = stamp
            state.readNs = nowNs
        }
        state.connection = consume connection
    }

    // MARK: Uses

    private func uses(of state: borrowing State) -> [(tokenID: Int64, unixNs: Int64)] {
        var uses: [(tokenID: Int64, unixNs: Int64)] = []
        for identity in cache.lastTable?.identities ?? [] {
            let usedNs = identity.lastUsedUnixNs
            guard usedNs > state.writtenUses[identity.tokenID] ?? 0 else { continue }
            uses.append((identity.tokenID, Int64(usedNs)))
        }
        return uses
    }

    /// What cannot be written now is written next time.
    private func writeUses(_ state: inout State) {
        state.useWrittenNs = Clock.monotonicNs
        let uses = uses(of: state)
        guard !uses.isEmpty, var connection = state.connection.take() else { return }
        do throws(DatabaseError) {
            try connection.noteTokenUse(uses, deadlineNs: database.statementDeadlineNs)
            state.connection = consume connection
            for use in uses { state.writtenUses[use.tokenID] = UInt64(use.unixNs) }
            let ids = Set(cache.lastTable?.identities.map(\.tokenID) ?? [])
            state.writtenUses = state.writtenUses.filter { ids.contains($0.key) }
        } catch {
            logger.debug("the last use of tokens is not written", metadata: ["error": "\(error)"])
        }
    }
}
