// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Which partitions exist, as far as this daemon knows. Shared by its writers.
///
/// It may be behind the database: a partition that another daemon made costs one look-up, and one
/// that was dropped meanwhile shows as `missingPartition` when rows are written, on which the
/// writer calls `forget`. Thread: any. Bound: one entry per partition.
package final class PartitionCache: Sendable {
    private let tables = Mutex<[String: PartitionRanges]>([:])

    package init() {}

    package func covers(table: String, _ wanted: PartitionRange) -> Bool {
        tables.withLock { $0[table]?.covers(wanted) ?? false }
    }

    package func store(table: String, _ ranges: PartitionRanges) {
        tables.withLock { $0[table] = ranges }
    }

    package func forget(table: String) {
        _ = tables.withLock { $0.removeValue(forKey: table) }
    }
}
