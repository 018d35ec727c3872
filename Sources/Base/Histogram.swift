// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// The ranges that durations are sorted into: fixed, so that those of any threads add up.
package enum DurationBuckets {
    /// Upper bounds, inclusive, ascending. Half a millisecond to half a minute, three or so per
    /// power of two where acknowledgements lie; what is longer is in a last range without a bound.
    package static let upperBoundsNs: [UInt64] = [
        500, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 50_000,
        70_000, 100_000, 150_000, 200_000, 300_000, 500_000, 700_000, 1_000_000, 2_000_000,
        5_000_000, 10_000_000, 30_000_000,
    ].map { $0 * 1_000 }

    /// With the last range.
    package static var count: Int { upperBoundsNs.count + 1 }

    /// The range that `durationNs` is in.
    static func index(of durationNs: UInt64) -> Int {
        var index = 0
        while index < upperBoundsNs.count, durationNs > upperBoundsNs[index] { index += 1 }
        return index
    }
}

/// Counts durations by range. One thread records, any thread reads.
///
/// Cost of recording: a search over 24 bounds and two plain stores, no atomic read-modify-write.
/// Who has several threads gives each a histogram of its own and adds up what they show.
package final class Histogram: Sendable {
    private let cells = Cells()

    package init() {}

    /// Thread: the one that owns it.
    package func record(_ durationNs: UInt64) {
        cells.increase(DurationBuckets.index(of: durationNs), by: 1)
        cells.increase(DurationBuckets.count, by: durationNs)
    }

    /// What was recorded so far; an observation that is just being recorded may be half in it.
    package var snapshot: HistogramSnapshot {
        HistogramSnapshot(
            counts: (0..<DurationBuckets.count).map { Int(cells.load($0)) },
            sumNs: cells.load(DurationBuckets.count))
    }

    /// The counts, then the sum. Allocated once and never moved: an Atomic has identity.
    @safe
    private final class Cells: @unchecked Sendable {
        private let values: UnsafeMutablePointer<Atomic<UInt64>>

        init() {
            unsafe values = .allocate(capacity: DurationBuckets.count + 1)
            for index in 0...DurationBuckets.count {
                unsafe (values + index).initialize(to: Atomic(0))
            }
        }

        deinit { unsafe values.deallocate() }

        func increase(_ index: Int, by amount: UInt64) {
            let value = unsafe values[index].load(ordering: .relaxed)
            unsafe values[index].store(value &+ amount, ordering: .relaxed)
        }

        func load(_ index: Int) -> UInt64 { unsafe values[index].load(ordering: .relaxed) }
    }
}

/// What a histogram, or several together, held at one moment.
package struct HistogramSnapshot: Sendable, Equatable {
    /// Durations per range of `DurationBuckets`, not cumulated.
    package private(set) var counts: [Int]
    package private(set) var sumNs: UInt64

    package init() {
        self.init(counts: Array(repeating: 0, count: DurationBuckets.count), sumNs: 0)
    }

    init(counts: [Int], sumNs: UInt64) {
        precondition(counts.count == DurationBuckets.count)
        self.counts = counts
        self.sumNs = sumNs
    }

    package var count: Int { counts.reduce(0, +) }

    package mutating func add(_ other: HistogramSnapshot) {
        for index in counts.indices { counts[index] += other.counts[index] }
        sumNs &+= other.sumNs
    }

    /// What was added since `earlier`.
    package func since(_ earlier: HistogramSnapshot) -> HistogramSnapshot {
        HistogramSnapshot(
            counts: zip(counts, earlier.counts).map { max(0, $0 - $1) },
            sumNs: sumNs &- earlier.sumNs)
    }

    /// The duration that `percent` of all do not exceed, as if each range was evenly filled; the
    /// greatest bound where it lies beyond it, nil where there is none at all.
    package func percentileNs(_ percent: Int) -> UInt64? {
        precondition((1...100).contains(percent))
        let total = count
        guard total > 0 else { return nil }
        var rank = Double(total) * Double(percent) / 100
        var lowerNs: UInt64 = 0
        for (upperNs, inside) in zip(DurationBuckets.upperBoundsNs, counts) {
            if inside > 0, rank <= Double(inside) {
                let share = rank / Double(inside)
                return lowerNs + UInt64(Double(upperNs - lowerNs) * share)
            }
            rank -= Double(inside)
            lowerNs = upperNs
        }
        return lowerNs
    }
}

extension HistogramSnapshot {
    /// Those of several threads together.
    package static func sum(_ histograms: some Sequence<Histogram>) -> HistogramSnapshot {
        histograms.reduce(into: HistogramSnapshot()) { $0.add($1.snapshot) }
    }
}
