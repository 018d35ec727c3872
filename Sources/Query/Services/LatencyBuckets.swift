// SPDX-License-Identifier: Apache-2.0

/// Durations in the buckets of `otel_service_edges`.
struct LatencyBuckets {
    /// Bucket and count, ascending.
    let counts: [(bucket: Int64, count: Int64)]

    /// Reads the texts of two arrays, `79,80` and `3,1`.
    init(buckets: String, counts: String) {
        let numbers = { (text: String) in text.split(separator: ",").compactMap { Int64($0) } }
        self.counts = zip(numbers(buckets), numbers(counts)).map { ($0, $1) }
    }

    /// The duration that `share` of all are not above, in nanoseconds: the middle of its bucket,
    /// which is at most 4.5 % off, but for the first and the last bucket, which are open. Nil where
    /// there is none.
    func quantileNs(_ share: Double) -> Int64? {
        let total = counts.reduce(0) { $0 + $1.count }
        guard total > 0 else { return nil }
        let rank = max(1, Int64((share * Double(total)).rounded(.up)))
        var seen: Int64 = 0
        for (bucket, count) in counts {
            seen += count
            if seen >= rank { return LatencyBuckets.middleNs(bucket) }
        }
        return nil
    }

    private static func middleNs(_ bucket: Int64) -> Int64 {
        let power = Double(sign: .plus, exponent: Int(bucket / 8), significand: 1)
        return Int64(power * middles[Int(bucket % 8)])
    }

    /// 2^((n + 0.5) / 8)
    private static let middles = [
        1.0442737824274138, 1.1387886347566916, 1.241857812073484, 1.3542555469368927,
        1.4768261459394993, 1.6104903319492543, 1.7562521603732995, 1.9152065613971474,
    ]
}
