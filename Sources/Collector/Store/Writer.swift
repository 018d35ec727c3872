// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Logging
internal import Postgres
internal import Ring

/// One thread that takes exports from the ring and commits them over one connection.
///
/// A batch in hand stays in hand: it is sent again after every failure of the connection or the
/// server, until it is committed, its clients' deadlines have passed, or the daemon stops.
/// Thread: `run` is the thread; `progress` is shared.
final class Writer: Sendable {
    let progress = WriterProgress()
    private let name: String
    private let shared: WriterShared

    init(name: String, shared: WriterShared) {
        self.name = name
        self.shared = shared
    }

    /// Works until the ring is closed and empty.
    func run() {
        var state = WriterState(name: name, shared: shared, progress: progress)
        var batch = ExportBatch(exportCountMax: WriterSettings.exportCountMax)
        var holdsMemory = false
        while shared.ring.take(
            into: &batch, itemCountMax: shared.settings.itemCountMax,
            idleDeadlineNs: holdsMemory ? Clock.monotonicNs + WriterSettings.idleNs : nil)
        {
            holdsMemory = !batch.isEmpty
            if batch.isEmpty {
                state.transaction.giveBackMemory()
                continue
            }
            progress.step()
            var backoff = Backoff(minMs: 50, maxMs: 2_000)
            while !batch.isEmpty {
                expire(&batch)
                shared.outage.divert(&batch)
                storeSome(&batch, &state, &backoff)
                progress.step()
            }
            state.transaction.exportCountMax = .max
            progress.idle()
        }
    }

    /// Nobody waits any more for these: starting their COPY would store what the client sends
    /// again.
    private func expire(_ batch: inout ExportBatch) {
        let nowNs = Clock.monotonicNs
        batch.settleSome { pending in
            guard !pending.isWanted(nowNs: nowNs) else { return nil }
            shared.losses.refused(pending)
            return .expired
        }
    }

    private func storeSome(
        _ batch: inout ExportBatch, _ state: inout WriterState, _ backoff: inout Backoff
    ) {
        guard !batch.isEmpty else { return }
        do throws(Transaction.Stop) {
            let exportCount = try state.store(batch)
            backoff.reset()
            settle(&batch, exportCount: exportCount, with: state)
        } catch {
            switch error {
            case .overBudget, .deadItemsTooMany: shared.outage.undecided()
            // The server has looked at what was sent: it is there.
            case .duplicates, .deadLettersTooLarge: shared.outage.succeeded()
            case .database: break
            }
            switch error {
            case .overBudget(isAlone: false):
                giveUp(&batch, exportCount: 1, "no memory is free to store this request now")
            case .overBudget(isAlone: true):
                refuseFirst(
                    &batch,
                    "storing it takes more memory than memory.budget_bytes "
                        + "(\(shared.budget.limitBytes)) has, although limits.request_bytes_max "
                        + "lets it in; send less at once")
            case .deadLettersTooLarge:
                refuse(
                    &batch, &state, .tooLarge,
                    "what cannot be stored of it is more than a quarter of "
                        + "dead_letters.bytes_max; send less at once")
            case .deadItemsTooMany(let first):
                refuse(
                    &batch, &state, .invalidArgument,
                    "more than \(Limits.deadItemCountMax) of its items cannot be stored, which is "
                        + "too many to keep as dead letters; the first because \(first)")
            case .duplicates(let known):
                settleDuplicates(&batch, known)
            case .database(let error):
                handle(error, &batch, &state, &backoff)
            }
        }
    }

    private func settle(
        _ batch: inout ExportBatch, exportCount: Int, with state: borrowing WriterState
    ) {
        shared.counters.add(.batchesCommitted)
        shared.outage.succeeded()
        shared.commits.committed(nowNs: Clock.monotonicNs)
        let counters = shared.counters
        batch.settleFirst(exportCount) { index, pending in
            let result = state.transaction.result(at: index)
            let signal = pending.export.signal
            counters.add(signal.committedCounter, result.rowCount)
            counters.add(signal.deadLetteredCounter, result.deadItemCount)
            shared.losses.settled(pending)
            return result.outcome
        }
    }

    private func handle(
        _ error: DatabaseError, _ batch: inout ExportBatch, _ state: inout WriterState,
        _ backoff: inout Backoff
    ) {
        shared.counters.add(.batchesRetried)
        shared.commits.failed(error, nowNs: Clock.monotonicNs)
        state.noteFailure(error, writer: name)
        #if DEBUG
        if isDropped(error) { return batch.settleFirst(batch.count) { _, _ in .accepted } }
        #endif
        switch error.disposition {
        case .rejectedContent, .rejectedRow:
            shared.outage.succeeded()
            // None of our rows, or it would have been found: a dimension. One export at a time
            // finds the guilty one.
            if state.transaction.exportCountMax > 1 {
                state.transaction.exportCountMax = 1
            } else {
                state.transaction.condemnFirst(error)
            }
        case .heldElsewhere:
            // The others are stored without the one that waits: one at a time finds it.
            shared.outage.undecided()
            if batch.count > 1 && state.transaction.exportCountMax > 1 {
                state.transaction.exportCountMax = 1
            } else {
                giveUp(&batch, exportCount: 1, "an earlier attempt has not ended; try again")
            }
        case .stopped:
            shared.outage.keep(&batch)
            giveUp(&batch, exportCount: batch.count, "the daemon is stopping")
        default:
            noteOutage(error)
            // In an outage to the spool; what that does not take stays in hand.
            shared.outage.divert(&batch)
            if !batch.isEmpty { waitOrStop(&batch, &backoff) }
        }
    }

    private func waitOrStop(_ batch: inout ExportBatch, _ backoff: inout Backoff) {
        guard shared.stop.wait(delayMs: backoff.nextDelayMs()) else { return }
        shared.outage.keep(&batch)
        giveUp(&batch, exportCount: batch.count, "the daemon is stopping")
    }

    /// What another look at the schema puts right is no outage.
    private func noteOutage(_ error: DatabaseError) {
        switch error.disposition {
        case .reconnect, .transient, .fatal: shared.outage.failed(error)
        default: shared.outage.undecided()
        }
    }

    #if DEBUG
    private func isDropped(_ error: DatabaseError) -> Bool {
        switch error.disposition {
        case .reconnect: TestBreak.isOn(.dropBatchOnReconnect)
        case .stopped: false
        default: TestBreak.isOn(.dropBatchOnError)
        }
    }
    #endif

    /// Tells the first exports to come back.
    private func giveUp(_ batch: inout ExportBatch, exportCount: Int, _ message: String) {
        let afterMs = shared.retryHint.delayMs
        batch.settleFirst(exportCount) { _, pending in
            shared.losses.refused(pending)
            return .retry(afterMs: afterMs, message: message)
        }
    }

    /// An earlier attempt committed these, and its answer never arrived: this is the answer.
    private func settleDuplicates(_ batch: inout ExportBatch, _ known: [Fingerprint: Outcome]) {
        batch.settleSome { pending in
            guard let outcome = known[pending.fingerprint] else { return nil }
            shared.losses.deduplicated(pending)
            return outcome
        }
    }

    /// Refuses the export that is meant: alone it is the first, so all are tried alone before.
    private func refuse(
        _ batch: inout ExportBatch, _ state: inout WriterState, _ code: Refusal.Code,
        _ message: String
    ) {
        guard state.transaction.exportCountMax == 1 else {
            return state.transaction.exportCountMax = 1
        }
        refuseFirst(&batch, message, code)
    }

    /// The same request would fail in the same way for ever.
    private func refuseFirst(
        _ batch: inout ExportBatch, _ message: String, _ code: Refusal.Code = .tooLarge
    ) {
        batch.settleFirst(1) { _, pending in
            shared.losses.refusedForGood(pending)
            return .refused(Refusal(code, message))
        }
    }
}

/// What a writer keeps from batch to batch.
struct WriterState: ~Copyable {
    var transaction: Transaction
    private var connection: PGConnection?
    private let shared: WriterShared
    private var isFailing = false

    init(name: String, shared: WriterShared, progress: WriterProgress) {
        self.shared = shared
        transaction = Transaction(name: name, shared: shared, progress: progress)
    }

    /// Stores the first exports of `batch`, connecting first where there is no usable connection.
    mutating func store(_ batch: borrowing ExportBatch) throws(Transaction.Stop) -> Int {
        if !(connection?.checkIdle() ?? false) { try connect() }
        guard var current = connection.take() else { preconditionFailure("just connected") }
        let result: Result<Int, Transaction.Stop>
        do throws(Transaction.Stop) {
            result = .success(try transaction.store(batch, on: &current))
        } catch {
            result = .failure(error)
        }
        connection = consume current
        let exportCount = try result.get()
        if isFailing {
            isFailing = false
            shared.logger.notice("the database takes batches again")
        }
        return exportCount
    }

    private mutating func connect() throws(Transaction.Stop) {
        connection = nil
        do throws(DatabaseError) {
            var opened = try PGConnection.connect(
                shared.database.listed(as: "writer"), stop: shared.stop)
            try transaction.adopt(&opened)
            connection = consume opened
        } catch { throw .database(error) }
        shared.counters.add(.databaseConnects)
    }

    /// Logs the first failure of a row of failures, and takes the connection down where it is no
    /// use.
    mutating func noteFailure(_ error: DatabaseError, writer: String) {
        if error.disposition == .reconnect { connection = nil }
        guard !isFailing, error.disposition != .stopped else { return }
        isFailing = true
        shared.logger.warning(
            "a batch could not be stored, it is sent again",
            metadata: ["writer": "\(writer)", "error": "\(error)"])
    }
}
