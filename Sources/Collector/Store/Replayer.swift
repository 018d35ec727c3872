// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Logging
internal import Postgres
internal import Ring
internal import Spool

/// What the replayer needs of the daemon.
struct ReplayerShared: Sendable {
    let spool: Spool
    let breaker: CircuitBreaker
    let ring: BoundedRing
    let budget: MemoryBudget
    let counters: Counters
    let database: DatabaseSettings
    let stop: StopSignal
    let logger: Logger
    let decodeLimits: DecodeLimits
    /// What exports on their way from the spool may hold of the memory budget.
    let heldSizeBytesMax: Int
}

/// The thread that brings what is in the spool into the database: reads records in order, decodes
/// them, and puts them into the ring like any other export.
///
/// Exports of clients go first: a record is read only while less than a quarter of the ring and
/// half of the memory budget are in use, and those on their way hold a bounded part of it. In an
/// outage one record at a time is the attempt that finds out whether it is over.
/// Thread: `run` is the thread; `close` any.
final class Replayer: @unchecked Sendable {
    private let shared: ReplayerShared
    private let keeper: SpoolKeeper
    private let ledger: AckLedger
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var isClosed = false
    // The thread's own.
    private let reader: SpoolReader
    private var body: OwnedBytes
    private var settlements: [AckLedger.Settlement] = []
    /// Records in the ring or with a writer, by number.
    private var inFlight: [UInt64: InFlight] = [:]
    private var heldSizeBytes = 0
    /// Above the cursor, and settled already.
    private var settled: Set<UInt64> = []
    private var needsRewind = false
    private var notBeforeNs: UInt64 = 0
    private var replayedCount = 0
    private var isCursorFailing = false

    private struct InFlight {
        let arrivalUnixNs: UInt64
        let heldSizeBytes: Int
    }

    private static let inFlightCountMax = 256
    private static let turnNs: UInt64 = 100_000_000
    private static let retryNs: UInt64 = 500_000_000

    init(_ shared: ReplayerShared) {
        self.shared = shared
        let monitor = self.monitor
        let wake = WakeFlag()
        ledger = AckLedger {
            monitor.withLock {
                wake.isRaised = true
                monitor.signal()
            }
        }
        self.wake = wake
        reader = SpoolReader(shared.spool)
        body = OwnedBytes(budget: shared.budget)
        keeper = SpoolKeeper(shared.spool, database: shared.database, logger: shared.logger)
    }

    /// Protected by `monitor`; apart from the rest because the ledger holds it.
    private final class WakeFlag: @unchecked Sendable { var isRaised = false }
    private let wake: WakeFlag

    /// Reads nothing more; the thread ends once the writers have settled what is on its way.
    func close() {
        monitor.withLock {
            isClosed = true
            monitor.signal()
        }
    }

    func run() {
        while !isOver {
            take()
            if shared.breaker.isClosed, !isStopping { keeper.keepUp(stop: shared.stop) }
            while !isStopping, mayRead, readOne() {}
            rest()
        }
        advance(isFinal: true)
        keeper.end()
    }

    private var isStopping: Bool { shared.stop.isFired || monitor.withLock { isClosed } }

    private var isOver: Bool { monitor.withLock { isClosed } && inFlight.isEmpty }

    /// Sleeps until something was settled, or for a turn.
    private func rest() {
        monitor.lock()
        defer { monitor.unlock() }
        let deadlineNs = Clock.monotonicNs + Replayer.turnNs
        while !wake.isRaised, !isClosed || inFlight.count > 0 {
            if !monitor.wait(deadlineNs: deadlineNs) { break }
        }
        wake.isRaised = false
    }

    // MARK: Reading

    private var mayRead: Bool {
        let nowNs = Clock.monotonicNs
        guard nowNs >= notBeforeNs, !shared.spool.isEmpty else { return false }
        if needsRewind {
            guard inFlight.isEmpty else { return false }
            reader.rewind()
            needsRewind = false
        }
        guard shared.breaker.isClosed else {
            return inFlight.isEmpty && shared.breaker.isAttemptDue(nowNs: nowNs)
                && areMarksSound()
        }
        return inFlight.count < Replayer.inFlightCountMax
            && (inFlight.isEmpty || heldSizeBytes < shared.heldSizeBytesMax)
            && shared.ring.depth.exportCount < max(1, shared.ring.slotCountMax / 4)
            && shared.budget.inUseBytes < shared.budget.limitBytes / 2
            && areMarksSound()
    }

    private func areMarksSound() -> Bool {
        if keeper.forgetStaleMarks(stop: shared.stop) { return true }
        notBeforeNs = Clock.monotonicNs + Replayer.retryNs
        return false
    }

    /// Reads the next record and sends it on its way; false when there is nothing to do now.
    private func readOne() -> Bool {
        do throws(SpoolError) {
            let step = try reader.next(into: &body) { !settled.contains($0) }
            switch step {
            case .record(let record): return send(record)
            case .damage(let damage):
                report(damage)
                advance()
                return true
            case .overBudget:
                notBeforeNs = Clock.monotonicNs + Replayer.turnNs
                return false
            case .atEnd: return false
            }
        } catch {
            shared.logger.warning("the spool cannot be read", metadata: ["error": "\(error)"])
            needsRewind = true
            notBeforeNs = Clock.monotonicNs + Replayer.retryNs
            return false
        }
    }

    private func report(_ damage: SpoolDamage) {
        shared.counters.add(.spoolRecordsDamaged, damage.recordCount)
        shared.logger.error(
            "a part of the spool is damaged and lost; the file is kept",
            metadata: [
                "file": "\(damage.path)", "records": "\(damage.recordCount)",
                "bytes": "\(damage.sizeBytes)",
            ])
    }

    private func send(_ record: SpoolRecord) -> Bool {
        defer { body.shrink(capacityBytes: 1 << 20) }
        do throws(DecodeError) {
            let export = try Decoder.decode(
                signal: record.signal, body: body.slice, limits: shared.decodeLimits.ofStored,
                budget: shared.budget)
            push(consume export, record)
            return true
        } catch {
            switch error {
            case .overBudget:
                needsRewind = true
                notBeforeNs = Clock.monotonicNs + Replayer.turnNs
                return false
            case .refused(let refusal):
                // What was decoded before it was written: limits were lowered since.
                report(shared.spool.lose(record))
                shared.logger.error(
                    "a record of the spool is refused", metadata: ["reason": "\(refusal.message)"])
                settled.insert(record.number)
                advance()
                return true
            }
        }
    }

    private func push(_ export: consuming Export, _ record: SpoolRecord) {
        let heldBytes = export.heldSizeBytes
        inFlight[record.number] = InFlight(
            arrivalUnixNs: record.arrivalUnixNs, heldSizeBytes: heldBytes)
        heldSizeBytes += heldBytes
        let address = AckAddress(connectionID: record.number, streamID: 0)
        let pending = PendingExport(
            export: export, fingerprint: record.fingerprint, ticket: ledger.open(address),
            cancellation: Cancellation(), deadlineNs: .max, arrivalUnixNs: record.arrivalUnixNs,
            spoolNumber: record.number)
        if let refused = shared.ring.tryPush(pending) {
            refused.settle(.retry(afterMs: Limits.retryAfterMsMin, message: "the ring is full"))
        }
    }

    // MARK: Settling

    /// Hears what became of those on their way.
    private func take() {
        ledger.collect(into: &settlements)
        for settlement in settlements {
            let number = settlement.address.connectionID
            guard let flight = inFlight.removeValue(forKey: number) else { continue }
            heldSizeBytes -= flight.heldSizeBytes
            switch settlement.outcome {
            case .accepted: break
            case .partial(let itemCount, let message):
                warn("\(itemCount) items out of the spool are not stored", message)
            case .refused(let refusal):
                warn("an export out of the spool is not stored", refusal.message)
            case .retry, .throttled, .expired:
                needsRewind = true
                notBeforeNs = Clock.monotonicNs + Replayer.retryNs
                continue
            }
            settled.insert(number)
            replayedCount += 1
            shared.counters.add(.exportsReplayed)
        }
        advance()
    }

    private func warn(_ what: String, _ why: String) {
        shared.logger.warning("\(what)", metadata: ["reason": "\(why)"])
    }

    /// Moves the cursor past everything that is settled.
    private func advance(isFinal: Bool = false) {
        var number = shared.spool.cursor
        let endNumber = needsRewind ? number : reader.position
        while settled.remove(number) != nil { number += 1 }
        // Up to the first that is on its way, all that was passed over is lost or settled.
        let lowest = inFlight.keys.min()
        if !needsRewind {
            let limit = min(lowest ?? endNumber, endNumber)
            if limit > number {
                number = limit
                settled = settled.filter { $0 >= limit }
            }
        }
        do throws(SpoolError) {
            try shared.spool.settle(
                before: number, oldestUnixNs: lowest.flatMap { inFlight[$0]?.arrivalUnixNs },
                isFinal: isFinal)
            isCursorFailing = false
        } catch {
            if !isCursorFailing {
                shared.logger.warning(
                    "the spool's cursor cannot be written", metadata: ["error": "\(error)"])
            }
            isCursorFailing = true
        }
        guard replayedCount > 0, shared.spool.isEmpty else { return }
        shared.logger.notice(
            "the spool is empty again", metadata: ["exports": "\(replayedCount)"])
        replayedCount = 0
    }
}
