// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Logging
internal import Postgres
internal import Ring
internal import Rows
internal import Synchronization

/// What all writers have in common.
struct WriterShared: Sendable {
    let ring: BoundedRing
    let budget: MemoryBudget
    let counters: Counters
    let retryHint: RetryHint
    let stop: StopSignal
    let logger: Logger
    let database: DatabaseSettings
    let partitions: PartitionMaker
    let accepted: AcceptedTimes
    let promotion: CurrentPromotion
    let sightings: SightingNotes
    let outage: OutageStore
    let committed: CommittedExports
    let commits: CommitMarks
    let losses: LossNotes
    let settings: WriterSettings
}

/// Limits of one transaction.
struct WriterSettings: Sendable {
    var interval: PartitionInterval
    /// Items after which no further export joins a transaction (`batch.rows_max`).
    var itemCountMax: Int
    /// The same for encoded bytes (`batch.bytes_max`).
    var sizeBytesMax: Int
    /// Seconds for which a retry is recognised at least (`durability.dedup_window`); 0 keeps no
    /// ledger.
    var dedupWindowSeconds: Int64
    /// The resource attribute that names the tenant (`retention.tenant_attribute`).
    var tenantAttribute: String
    /// Encoded bytes of the dead letters of one transaction.
    var deadLettersSizeBytesMax: Int
    /// Encoded bytes that a writer keeps allocated between transactions, per table.
    var keptSizeBytes: Int
    var rowLimits = RowLimits()

    static let keptSizeBytesMax = 4 << 20
    /// After so long without work a writer keeps nothing.
    static let idleNs: UInt64 = 1_000_000_000
    /// Exports in one transaction.
    static let exportCountMax = 1_024
}

/// A writer's sign of life, and what it shows of its work.
final class WriterProgress: Sendable {
    /// From BEGIN to the answer to COMMIT. Recorded by the writer.
    let commitLatency = Histogram()
    private let busySinceNs = Atomic<UInt64>(0)
    private let dimensionEntries = Atomic<Int>(0)

    /// Dimension ids that the writer has cached.
    var dimensionEntryCount: Int {
        get { dimensionEntries.load(ordering: .relaxed) }
        set { dimensionEntries.store(newValue, ordering: .relaxed) }
    }

    /// Monotonic time of the last step while there is work; nil when the writer waits for work.
    var lastStepNs: UInt64? {
        let value = busySinceNs.load(ordering: .relaxed)
        return value == 0 ? nil : value
    }

    func step() { busySinceNs.store(Clock.monotonicNs, ordering: .relaxed) }
    func idle() { busySinceNs.store(0, ordering: .relaxed) }
}
