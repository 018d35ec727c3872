// SPDX-License-Identifier: Apache-2.0

/// The times that one partition holds, in Unix nanoseconds: `fromNs ..< untilNs`.
package struct PartitionRange: Sendable, Hashable {
    package let fromNs: Int64
    package let untilNs: Int64

    package init(fromNs: Int64, untilNs: Int64) {
        precondition(fromNs < untilNs)
        self.fromNs = fromNs
        self.untilNs = untilNs
    }

    package func contains(_ timeNs: Int64) -> Bool { fromNs <= timeNs && timeNs < untilNs }
}

extension [PartitionRange] {
    /// Their begins and their ends, in two lists.
    var bounds: [ArrayParameter] {
        var (from, until) = (ArrayParameter(.int8), ArrayParameter(.int8))
        for range in self {
            from.append(range.fromNs)
            until.append(range.untilNs)
        }
        return [from, until]
    }
}

/// The ranges of one table's partitions, sorted and disjoint as the server keeps them.
package struct PartitionRanges: Sendable, Equatable {
    package private(set) var sorted: [PartitionRange]

    package init(_ ranges: [PartitionRange] = []) {
        sorted = ranges.sorted { $0.fromNs < $1.fromNs }
    }

    package mutating func insert(_ range: PartitionRange) {
        sorted.insert(range, at: firstIndex(endingAfter: range.fromNs))
    }

    /// Whether every time in `wanted` has a partition. O(log n + partitions inside `wanted`).
    package func covers(_ wanted: PartitionRange) -> Bool { gaps(in: wanted).isEmpty }

    /// The parts of `wanted` that have no partition, in order.
    ///
    /// With one interval that is all of `wanted` or nothing. Where the interval was changed, the
    /// old partitions stay as they are, and new ones take the room between them.
    package func gaps(in wanted: PartitionRange) -> [PartitionRange] {
        var gaps: [PartitionRange] = []
        var fromNs = wanted.fromNs
        var index = firstIndex(endingAfter: fromNs)
        while index < sorted.count, sorted[index].fromNs < wanted.untilNs {
            if sorted[index].fromNs > fromNs {
                gaps.append(PartitionRange(fromNs: fromNs, untilNs: sorted[index].fromNs))
            }
            fromNs = sorted[index].untilNs
            index += 1
        }
        if fromNs < wanted.untilNs {
            gaps.append(PartitionRange(fromNs: fromNs, untilNs: wanted.untilNs))
        }
        return gaps
    }

    private func firstIndex(endingAfter timeNs: Int64) -> Int {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle].untilNs <= timeNs { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
