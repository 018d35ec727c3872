// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// A token bucket that all threads share: so many units per second, and so many seconds' worth at
/// once.
///
/// Something larger than the bucket is let through as long as the bucket is not empty, and leaves a
/// debt that must be paid before the next: a request that is larger than the bucket would else
/// never be. So over time the rate holds, and what exceeds it is a bucketful and one request.
/// Thread: any. Cost: one atomic exchange.
package final class RateLimit: Sendable {
    /// Units per second, 1...`perSecondMax`.
    package let perSecond: Int
    /// The monotonic time at which the bucket is empty if nothing more is taken: what lies between
    /// now and then is debt, and what lies before now is credit.
    private let emptyAtNs = Atomic<UInt64>(0)

    private let burstNs: UInt64

    package static let perSecondMax = 1_000_000_000_000
    package static let burstNs: UInt64 = 1_000_000_000
    /// Beyond it the product with 10^9 would not fit; no request is as large.
    private static let amountMax = 1 << 34

    /// `burstNs` is for how long a full bucket lasts at that rate.
    package init(perSecond: Int, burstNs: UInt64 = RateLimit.burstNs) {
        precondition((1...RateLimit.perSecondMax).contains(perSecond))
        self.perSecond = perSecond
        self.burstNs = burstNs
    }

    /// `burst` is what a full bucket holds.
    package convenience init(perSecond: Int, burst: Int) {
        self.init(
            perSecond: perSecond, burstNs: UInt64(burst) * 1_000_000_000 / UInt64(perSecond))
    }

    /// Nil where `take` would grant anything, else after how long it will.
    package func waitNs(nowNs: UInt64) -> UInt64? {
        let seenNs = emptyAtNs.load(ordering: .relaxed)
        return seenNs < nowNs ? nil : seenNs - nowNs + 1
    }

    /// Takes `amount` units; nil when that is granted, else nothing is taken and the time after
    /// which the bucket is not empty any more is returned. `nowNs` is monotonic.
    package func take(_ amount: Int, nowNs: UInt64) -> UInt64? {
        let costNs = costNs(of: amount)
        var seenNs = emptyAtNs.load(ordering: .relaxed)
        while true {
            guard seenNs < nowNs else { return seenNs - nowNs + 1 }
            let fullNs = nowNs - min(nowNs, burstNs)
            let (exchanged, original) = emptyAtNs.weakCompareExchange(
                expected: seenNs, desired: max(seenNs, fullNs) + costNs, ordering: .relaxed)
            if exchanged { return nil }
            seenNs = original
        }
    }

    /// Takes `amount` units, whatever is owed already: for work that is done.
    package func charge(_ amount: Int, nowNs: UInt64) {
        let costNs = costNs(of: amount)
        let fullNs = nowNs - min(nowNs, burstNs)
        var seenNs = emptyAtNs.load(ordering: .relaxed)
        while true {
            let (exchanged, original) = emptyAtNs.weakCompareExchange(
                expected: seenNs,
                // What is charged again and again must not overflow.
                desired: min(max(seenNs, fullNs), .max - costNs) + costNs, ordering: .relaxed)
            if exchanged { return }
            seenNs = original
        }
    }

    /// Undoes a `take` whose use came to nothing.
    package func giveBack(_ amount: Int) {
        emptyAtNs.wrappingSubtract(costNs(of: amount), ordering: .relaxed)
    }

    private func costNs(of amount: Int) -> UInt64 {
        precondition(amount >= 0)
        return UInt64(min(amount, RateLimit.amountMax)) * 1_000_000_000 / UInt64(perSecond)
    }
}

/// What the holder of one token may send: items and bytes per second, each without limit where nil.
///
/// Thread: any.
package final class TokenQuota: Sendable {
    package let items: RateLimit?
    package let bytes: RateLimit?

    package init(itemsPerSecond: Int?, bytesPerSecond: Int?) {
        items = itemsPerSecond.map { RateLimit(perSecond: $0) }
        bytes = bytesPerSecond.map { RateLimit(perSecond: $0) }
    }

    package var isUnlimited: Bool { items == nil && bytes == nil }

    /// Takes both or neither; nil when granted, else after how long to come back.
    package func take(itemCount: Int, sizeBytes: Int, nowNs: UInt64) -> UInt64? {
        if let waitNs = items?.take(itemCount, nowNs: nowNs) { return waitNs }
        guard let waitNs = bytes?.take(sizeBytes, nowNs: nowNs) else { return nil }
        items?.giveBack(itemCount)
        return waitNs
    }

    /// Nil where `take` would grant anything, else after how long it will.
    package func waitNs(nowNs: UInt64) -> UInt64? {
        items?.waitNs(nowNs: nowNs) ?? bytes?.waitNs(nowNs: nowNs)
    }

    /// Undoes a `take` whose use came to nothing.
    package func giveBack(itemCount: Int, sizeBytes: Int) {
        items?.giveBack(itemCount)
        bytes?.giveBack(sizeBytes)
    }
}

/// What one export takes of a quota, to be given back where it is not stored after all.
package struct QuotaCharge: Sendable {
    private let quota: TokenQuota
    private let itemCount: Int
    private let sizeBytes: Int

    package init(_ quota: TokenQuota, itemCount: Int, sizeBytes: Int) {
        self.quota = quota
        self.itemCount = itemCount
        self.sizeBytes = sizeBytes
    }

    /// Nil when it is granted, else after how long to come back.
    package func take(nowNs: UInt64) -> UInt64? {
        quota.take(itemCount: itemCount, sizeBytes: sizeBytes, nowNs: nowNs)
    }

    /// Gives back what was taken.
    package func undo() { quota.giveBack(itemCount: itemCount, sizeBytes: sizeBytes) }
}
