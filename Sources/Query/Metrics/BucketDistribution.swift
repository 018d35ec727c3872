// SPDX-License-Identifier: Apache-2.0

/// Counts between bounds, of one or several layouts of buckets, as a distribution of which
/// quantiles are asked. Within a bucket values are taken for evenly spread.
struct BucketDistribution {
    struct Bucket {
        /// Nil is without limit.
        let lower: Double?
        let upper: Double?
        let count: Double
    }

    private var buckets: [Bucket] = []
    private var bounds: [Double] = []

    /// A bucket without lower bound begins at 0, or, below that, at its upper bound; one without an
    /// upper bound ends where it begins: nothing is known of how far it reaches.
    mutating func add(_ bucket: Bucket) {
        guard let one = bucket.lower ?? bucket.upper else { return }
        let upper = bucket.upper ?? one
        let lower = bucket.lower ?? min(0, upper)
        buckets.append(Bucket(lower: lower, upper: upper, count: bucket.count))
        bounds += [lower, upper]
    }

    /// The value that `share` of all are not above; nil where there is none.
    func quantile(_ share: Double) -> Double? {
        let total = buckets.reduce(0) { $0 + $1.count }
        guard total > 0 else { return nil }
        let rank = share * total
        var previous: (bound: Double, below: Double)?
        for bound in Set(bounds).sorted() {
            let reached = below(bound)
            // Before the jump of a bucket without width, what is below the bound comes first.
            let strict = reached - jump(at: bound)
            if let previous, strict >= rank, strict > previous.below {
                let part = (rank - previous.below) / (strict - previous.below)
                return previous.bound + (bound - previous.bound) * max(0, part)
            }
            if reached >= rank, reached > 0 { return bound }
            previous = (bound, reached)
        }
        return bounds.max()
    }

    private func below(_ bound: Double) -> Double {
        buckets.reduce(0) { sum, bucket in
            guard let lower = bucket.lower, let upper = bucket.upper else { return sum }
            if upper <= bound { return sum + bucket.count }
            if lower >= bound { return sum }
            return sum + bucket.count * (bound - lower) / (upper - lower)
        }
    }

    private func jump(at bound: Double) -> Double {
        buckets.reduce(0) { sum, bucket in
            bucket.lower == bound && bucket.upper == bound ? sum + bucket.count : sum
        }
    }
}
