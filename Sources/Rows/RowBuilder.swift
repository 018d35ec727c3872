// SPDX-License-Identifier: Apache-2.0
package import Base
package import Decode

/// Turns decoded exports into rows: finds the ids of their dimensions, then emits row after row.
///
/// One batch goes like this, with all its exports alive to the end:
///
/// 1. `beginBatch()`.
/// 2. `resolveDimensions(of:at:)` for each export in order, starting from index 0. When that says
///    `.missingIsFull`, and once after the last export when `missing` is not empty: write `missing`
///    to the database, report its ids into it, `learn()`; after `.missingIsFull` call again for the
///    same export, which goes on where it stopped.
/// 3. `resolveSeries(of:at:)` for each export likewise. It needs the ids of step 2.
/// 4. `emitRows(of:at:context:into:)` for each export.
///
/// An index of an export stands for its place in the batch. `.overBudget` leaves the export
/// unresolved: take it out with `truncate(exportCount:)` and try again when memory was given back.
///
/// Thread: confined to one writer. Memory: caches are bounded by `RowLimits`, what belongs to a
/// batch is charged to the budget. In a steady state, nothing is allocated per batch or per row.
package struct RowBuilder: ~Copyable {
    /// What became of an attempt to resolve.
    package enum Resolution: Equatable, Sendable {
        case resolved
        /// `missing` must be learned before there is room for more.
        case missingIsFull
        /// The memory budget is spent.
        case overBudget
    }

    let limits: RowLimits
    var refs: BatchRefs
    var lookup: DimensionLookup

    /// Where `otel_logs_fact.log_id` comes from.
    package var logIDs = LogIDSource()

    /// Attributes of dimensions that are not stored. Set between batches only.
    package var drops = DimensionDrops()

    /// Operations in the database, as far as is known: counted up here, and corrected by whoever
    /// counts them there. Dictionary entries are added up to `RowLimits.operationCountMax`.
    package var operationCountInDatabase = 0

    package init(limits: RowLimits, budget: MemoryBudget) {
        self.limits = limits
        refs = BatchRefs(budget: budget)
        lookup = DimensionLookup(limits: limits)
    }

    /// Dimensions whose ids the database must say. Report the ids into it, then call `learn()`.
    package var missing: MissingDimensions {
        _read { yield lookup.missing }
        _modify { yield &lookup.missing }
    }

    /// Dimension ids that are cached, and how many were thrown away since the start.
    package var cachedCount: Int { lookup.cachedCount }
    package var evictedCount: Int { lookup.evictedCount }
    /// Look-ups of dimensions since the start, and those that found no id and none under way.
    package var lookUpCount: Int { lookup.lookUpCount }
    package var missCount: Int { lookup.missCount }

    /// Attributes of the batch's resources, scopes and series that are not stored, each as often as
    /// it was looked up.
    package var droppedAttributeCount: Int { lookup.droppedAttributeCount }

    /// Forgets the batch before, whatever became of it.
    package mutating func beginBatch() {
        refs.removeAll()
        lookup.removeMissing()
        setOperationAllowance()
    }

    /// Takes over the ids that were reported into `missing`, and empties it.
    ///
    /// Every entry must have one, except operations: those without stand on their rows.
    package mutating func learn() {
        precondition(lookup.missing.isResolved, "a missing dimension was left without an id")
        refs.resources.learn(from: lookup.missing.resources)
        refs.scopes.learn(from: lookup.missing.scopes)
        refs.operations.learn(from: lookup.missing.operations)
        refs.metrics.learn(from: lookup.missing.metrics)
        refs.bounds.learn(from: lookup.missing.bounds)
        refs.series.learn(from: lookup.missing.series)
        operationCountInDatabase += lookup.missing.operationInsertedCount
        lookup.learn()
        setOperationAllowance()
    }

    /// Takes the exports from `exportCount` on out of the batch.
    ///
    /// What they missed stays in `missing`: it may be shared, and they must live until it is
    /// learned.
    package mutating func truncate(exportCount: Int) { refs.truncate(exportCount: exportCount) }

    /// Forgets every cached id: the database behind them may be another one.
    package mutating func forgetDimensions() {
        refs.removeAll()
        lookup.removeAll()
    }

    private mutating func setOperationAllowance() {
        lookup.missing.operationInsertCountMax = max(
            0, limits.operationCountMax - operationCountInDatabase)
    }

    /// Finds the ids of resources, scopes, operations, metrics and histogram bounds.
    ///
    /// Cost: one look-up per part; a hash for each part that is not cached.
    package mutating func resolveDimensions(
        of export: borrowing Export, at exportIndex: Int
    ) -> Resolution {
        let start = refs.start(exportIndex: exportIndex)
        return RowBuilder.resolution { () throws(ResolveStop) in
            switch export.signal {
            case .traces: try resolveTraces(export, start: start)
            case .logs: try resolveLogs(export, start: start)
            case .metrics: try resolveMetrics(export, start: start)
            }
        }
    }

    /// Finds the ids of the series of a metrics export; does nothing for other signals.
    package mutating func resolveSeries(
        of export: borrowing Export, at exportIndex: Int
    ) -> Resolution {
        guard export.signal == .metrics else { return .resolved }
        let start = refs.start(exportIndex: exportIndex)
        let seriesStart = refs.seriesStart(exportIndex: exportIndex)
        return RowBuilder.resolution { () throws(ResolveStop) in
            try resolveSeries(export, start: start, seriesStart: seriesStart)
        }
    }

    private static func resolution(_ body: () throws(ResolveStop) -> Void) -> Resolution {
        do throws(ResolveStop) {
            try body()
            return .resolved
        } catch {
            switch error {
            case .missingIsFull: return .missingIsFull
            case .overBudget: return .overBudget
            }
        }
    }
}

/// What rows depend on beside their export.
package struct EmissionContext: Sendable {
    /// Which times are stored.
    package let window: AcceptWindow
    /// Time of log records that say none. Nanoseconds since 1970.
    package let arrivalUnixNs: UInt64

    package init(window: AcceptWindow, arrivalUnixNs: UInt64) {
        self.window = window
        self.arrivalUnixNs = arrivalUnixNs
    }
}

extension RowBuilder {
    /// Gives each item of an export to `sink` as a row, and counts those that cannot be one.
    ///
    /// Returns nil when the sink is over the budget: rows of the export may stand in it already,
    /// and are to be taken out. The export was resolved at `exportIndex`.
    package mutating func emitRows(
        of export: borrowing Export, at exportIndex: Int, context: EmissionContext,
        into sink: inout some RowSink & ~Copyable
    ) -> RowTally? {
        precondition(exportIndex < refs.exportCount, "emitted before it was resolved")
        var tally = RowTally()
        let isComplete =
            switch export.signal {
            case .traces:
                emitSpans(of: export, at: exportIndex, context: context, into: &sink, tally: &tally)
            case .logs:
                emitLogs(of: export, at: exportIndex, context: context, into: &sink, tally: &tally)
            case .metrics:
                emitPoints(
                    of: export, at: exportIndex, context: context, into: &sink, tally: &tally)
            }
        return isComplete ? tally : nil
    }
}
