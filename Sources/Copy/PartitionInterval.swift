// SPDX-License-Identifier: Apache-2.0

/// How much time one partition of a fact table covers (`partitions.interval`).
package enum PartitionInterval: String, CaseIterable, Sendable {
    case oneHour = "1h"
    case sixHours = "6h"
    case oneDay = "1d"
    case sevenDays = "7d"

    private static let hourNs: Int64 = 3_600_000_000_000

    /// Nanoseconds.
    package var lengthNs: Int64 {
        switch self {
        case .oneHour: PartitionInterval.hourNs
        case .sixHours: 6 * PartitionInterval.hourNs
        case .oneDay: 24 * PartitionInterval.hourNs
        case .sevenDays: 7 * 24 * PartitionInterval.hourNs
        }
    }

    /// Where one of the partitions begins. Weeks begin on Mondays, and 1970 began on a Thursday.
    private var originNs: Int64 {
        self == .sevenDays ? 4 * 24 * PartitionInterval.hourNs : 0
    }

    /// Start of the partition that takes `unixNs`: UTC hours, days or Mondays. The partition
    /// reaches to `lengthNs` after it, exclusively. Both are nanoseconds since 1970.
    package func start(of unixNs: Int64) -> Int64 {
        let (sinceOrigin, overflow) = unixNs.subtractingReportingOverflow(originNs)
        precondition(!overflow, "long before the Big Bang")
        let remainder = sinceOrigin % lengthNs
        return unixNs - (remainder < 0 ? remainder + lengthNs : remainder)
    }
}

/// The partitions that the rows of a batch go into.
package struct PartitionSet {
    private let interval: PartitionInterval
    /// The partition of the last row: rows come in runs of the same one.
    private var lastStartUnixNs: Int64 = 0
    private var lastEndUnixNs: Int64 = 0
    /// Starts, nanoseconds since 1970, ascending.
    package private(set) var startsUnixNs: [Int64] = []

    package init(interval: PartitionInterval) { self.interval = interval }

    /// Adds the partition of a row. Usually two comparisons.
    @inline(__always)
    mutating func insert(partitionOf unixNs: Int64) {
        if unixNs >= lastStartUnixNs, unixNs < lastEndUnixNs { return }
        insertSlow(partitionOf: unixNs)
    }

    @inline(never)
    private mutating func insertSlow(partitionOf unixNs: Int64) {
        let start = interval.start(of: unixNs)
        let position = startsUnixNs.firstIndex { $0 >= start } ?? startsUnixNs.count
        if position == startsUnixNs.count || startsUnixNs[position] != start {
            startsUnixNs.insert(start, at: position)
        }
        let (end, overflow) = start.addingReportingOverflow(interval.lengthNs)
        lastStartUnixNs = start
        lastEndUnixNs = overflow ? Int64.max : end
    }

    mutating func removeAll() {
        startsUnixNs.removeAll(keepingCapacity: true)
        lastStartUnixNs = 0
        lastEndUnixNs = 0
    }
}
