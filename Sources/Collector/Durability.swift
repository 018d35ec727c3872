// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Logging
internal import Postgres
internal import Ring
internal import Spool

/// The part of the pipeline that decides when clients are answered, and what bridges an outage:
/// `durability.ack`, the spool, and the threads that fill and empty it.
final class Durability {
    /// The ring that the loops fill: the writers' own, unless everything goes to the spool first.
    let intakeRing: BoundedRing
    let retryHint: RetryHint
    let store: OutageStore
    /// See `Intake`.
    let bufferLedger: AckLedger?
    let decodeLimits: DecodeLimits
    private let spooler: Spooler?
    private let replayer: Replayer?
    private let isForAll: Bool
    private var threads: [WorkerThread] = []
    private var replayThread: WorkerThread?

    init(
        _ configuration: Configuration, ring: BoundedRing, budget: MemoryBudget,
        counters: Counters, losses: LossNotes, spool: Spool?, database: DatabaseSettings,
        stop: StopSignal, logger: Logger
    ) {
        isForAll = configuration.durability.ack == .spool
        intakeRing =
            isForAll ? BoundedRing(slotCountMax: configuration.ring.exportCountMax) : ring
        retryHint = RetryHint(ring: intakeRing, counters: counters)
        store = OutageStore(spool: spool, counters: counters, logger: logger)
        decodeLimits = DecodeLimits(
            unpackedSizeBytesMax: configuration.limits.unpackedSizeBytesMax)
        bufferLedger =
            configuration.durability.ack == .buffer
            ? Durability.bufferLedger(counters: counters, logger: logger) : nil
        guard let spool else {
            (spooler, replayer) = (nil, nil)
            return
        }
        counters.add(.spoolRecordsDamaged, spool.missingRecordCount)
        spooler = Spooler(
            ring: intakeRing, store: store, retryHint: retryHint, losses: losses, stop: stop,
            itemCountMax: configuration.batch.rowCountMax, isForAll: isForAll)
        replayer = Replayer(
            ReplayerShared(
                spool: spool, breaker: store.breaker, ring: ring, budget: budget,
                counters: counters, database: database, stop: stop, logger: logger,
                decodeLimits: decodeLimits,
                heldSizeBytesMax: budget.limitBytes / (isForAll ? 2 : 8)))
    }

    /// With `durability.ack: buffer` nobody waits any more when an export fails: it is counted.
    private static func bufferLedger(counters: Counters, logger: Logger) -> AckLedger {
        AckLedger { settlement in
            switch settlement.outcome {
            case .accepted, .partial: return
            case .retry, .throttled, .expired, .refused:
                counters.add(.exportsLost)
                logger.error("an export that was acknowledged from memory is lost")
            }
        }
    }

    func start() {
        if let spooler { threads.append(WorkerThread(name: "spooler") { spooler.run() }) }
        if let replayer {
            replayThread = WorkerThread(
                name: "replay", stackSizeBytes: Limits.decodeStackSizeBytes
            ) { replayer.run() }
        }
    }

    /// Where everything goes to the spool: takes there what waits, and nothing more.
    func closeIntake() {
        guard isForAll else { return }
        intakeRing.close()
        joinSpooler()
    }

    /// Ends the threads; the writers have ended, and the stop signal is fired.
    func closeAndJoin() {
        joinSpooler()
        replayer?.close()
        replayThread?.join()
        replayThread = nil
    }

    private func joinSpooler() {
        for thread in threads { thread.join() }
        threads = []
    }
}
