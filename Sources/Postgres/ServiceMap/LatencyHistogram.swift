// SPDX-License-Identifier: Apache-2.0
package import Base

/// Durations in the buckets of figures of services and of the service map, which can be added up.
///
/// Cost: 2 kB, and a pass over them for a quantile.
package struct LatencyHistogram: Sendable {
    private static let first = Int64(ServiceEdgeLimits.latencyBuckets.lowerBound)

    /// By bucket, from the first on.
    private var counts = [Int64](repeating: 0, count: ServiceEdgeLimits.latencyBuckets.count)

    /// Durations in it.
    package private(set) var totalCount: Int64 = 0

    package init() {}

    /// A bucket that there is not counts as the nearest one.
    private mutating func add(_ count: Int64, inBucket bucket: Int64) {
        let place = min(max(Int(bucket - LatencyHistogram.first), 0), counts.count - 1)
        counts[place] += count
        totalCount += count
    }

    /// Bytes of one bucket in `latency_buckets`.
    package static let packedBucketSizeBytes = 6

    /// Adds buckets as `latency_buckets` has them, in any order. With `sign` -1 it takes them out
    /// again: they have to be in it.
    package mutating func add(packed: ByteSlice, times sign: Int64 = 1) {
        let size = LatencyHistogram.packedBucketSizeBytes
        for offset in stride(from: 0, through: packed.count - size, by: size) {
            add(
                sign * Int64(packed.bigEndian(at: offset + 2, as: Int32.self)),
                inBucket: Int64(packed.bigEndian(at: offset, as: Int16.self)))
        }
    }

    /// As `latency_buckets` has them.
    func packed() -> [UInt8] {
        var bytes: [UInt8] = []
        for (place, count) in counts.enumerated() where count > 0 {
            bytes.appendBigEndian(Int16(Int64(place) + LatencyHistogram.first))
            bytes.appendBigEndian(Int32(clamping: count))
        }
        return bytes
    }

    /// The duration that `share` of all are not above, in nanoseconds: the middle of its bucket,
    /// which is at most 4.5 % off, but for the first and the last bucket, which are open. Nil where
    /// there is none.
    package func quantileNs(_ share: Double) -> Int64? {
        guard totalCount > 0 else { return nil }
        let rank = max(1, Int64((share * Double(totalCount)).rounded(.up)))
        var seenCount: Int64 = 0
        for (place, count) in counts.enumerated() {
            seenCount += count
            if seenCount >= rank {
                return LatencyHistogram.middleNs(Int64(place) + LatencyHistogram.first)
            }
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
