// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Why dimensions of an export could not be resolved to the end.
enum ResolveStop: Error {
    /// As much is missing as may be at once: it must be learned first.
    case missingIsFull
    /// The memory budget is spent.
    case overBudget
}

/// The dimensions of everything in a batch, in wire order and by level.
///
/// They stand here rather than in the caches alone, because a batch may name more dimensions than a
/// cache holds, and because a row then costs one look-up and not two. Faulty parts have a place,
/// too, so that start of the export + ordinal is an index. Memory: charged to the budget.
struct BatchRefs: ~Copyable {
    /// Memory that each level keeps from one batch to the next.
    private static let keptSizeBytes = 256 << 10

    /// Where the parts of one export begin.
    struct Start {
        var resource: Int
        var scope: Int
        var operation: Int
        var metric: Int
        var bounds: Int
        /// Nil until series are being resolved, which is after everything else.
        var series: Int?
    }

    /// All exports of the batch one after the other.
    struct Level: ~Copyable {
        private var refs: BudgetedList<DimensionRef>
        /// Refs below this are ids.
        private var learnedCount = 0

        init(budget: MemoryBudget) { refs = BudgetedList(budget: budget) }

        var count: Int { refs.count }

        subscript(index: Int) -> DimensionRef { refs[index] }

        mutating func append(_ ref: DimensionRef) throws(ResolveStop) {
            guard refs.append(ref) else { throw .overBudget }
        }

        mutating func truncate(count: Int) {
            guard count < refs.count else { return }
            refs.truncate(count: count)
            learnedCount = min(learnedCount, count)
        }

        /// Replaces what was missing by the ids that `list` has learned.
        mutating func learn<Content>(from list: MissingList<Content>) {
            if !list.isEmpty {
                for index in learnedCount..<refs.count {
                    guard let position = refs[index].missingPosition else { continue }
                    refs[index] = DimensionRef(id: list.entries[position].id)
                }
            }
            learnedCount = refs.count
        }

        mutating func removeAll() {
            refs.removeAll(keptSizeBytes: BatchRefs.keptSizeBytes)
            learnedCount = 0
        }
    }

    var resources: Level
    var scopes: Level
    /// One per span; none where name and kind stand on the row.
    var operations: Level
    var metrics: Level
    /// One per point of a histogram with explicit bounds.
    var bounds: Level
    /// One per data point.
    var series: Level
    private var starts: [Start] = []

    init(budget: MemoryBudget) {
        resources = Level(budget: budget)
        scopes = Level(budget: budget)
        operations = Level(budget: budget)
        metrics = Level(budget: budget)
        bounds = Level(budget: budget)
        series = Level(budget: budget)
    }

    var exportCount: Int { starts.count }

    /// Where export `exportIndex` begins, beginning it when it is the next one.
    mutating func start(exportIndex: Int) -> Start {
        precondition(
            exportIndex >= 0 && exportIndex <= starts.count, "exports are resolved in order")
        if exportIndex == starts.count {
            starts.append(
                Start(
                    resource: resources.count, scope: scopes.count, operation: operations.count,
                    metric: metrics.count, bounds: bounds.count, series: nil))
        }
        return starts[exportIndex]
    }

    /// Where the series of export `exportIndex` begin, beginning them when they are the next ones.
    mutating func seriesStart(exportIndex: Int) -> Int {
        if let start = starts[exportIndex].series { return start }
        starts[exportIndex].series = series.count
        return series.count
    }

    /// Forgets the exports from `exportCount` on.
    mutating func truncate(exportCount: Int) {
        guard exportCount < starts.count else { return }
        let start = starts[exportCount]
        starts.removeSubrange(exportCount...)
        resources.truncate(count: start.resource)
        scopes.truncate(count: start.scope)
        operations.truncate(count: start.operation)
        metrics.truncate(count: start.metric)
        bounds.truncate(count: start.bounds)
        if let seriesStart = start.series { series.truncate(count: seriesStart) }
    }

    mutating func removeAll() {
        starts.removeAll(keepingCapacity: true)
        resources.removeAll()
        scopes.removeAll()
        operations.removeAll()
        metrics.removeAll()
        bounds.removeAll()
        series.removeAll()
    }
}
