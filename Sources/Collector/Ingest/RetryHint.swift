// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Ring
internal import Synchronization

/// How long a client that is turned away should wait: the time in which the backlog will be stored.
///
/// Thread: `delayMs` any; `observe` one.
final class RetryHint: Sendable {
    private let ring: BoundedRing
    private let counters: Counters
    private let itemsPerSecond = Atomic<Int>(0)
    private let lastCommittedCount = Atomic<Int>(0)

    init(ring: BoundedRing, counters: Counters) {
        self.ring = ring
        self.counters = counters
    }

    /// Backlog divided by commit rate, kept within what SDKs wait for before they give up.
    var delayMs: Int {
        RetryHint.delayMs(
            backlogItemCount: ring.depth.itemCount,
            itemsPerSecond: itemsPerSecond.load(ordering: .relaxed))
    }

    static func delayMs(backlogItemCount: Int, itemsPerSecond: Int) -> Int {
        guard itemsPerSecond > 0 else { return Limits.retryAfterMsMax }
        let backlogMs = backlogItemCount * 1_000 / itemsPerSecond
        return min(max(backlogMs, Limits.retryAfterMsMin), Limits.retryAfterMsMax)
    }

    /// Measures the commit rate; call about once a second with the time since the last call.
    func observe(elapsedNs: UInt64) {
        guard elapsedNs > 0 else { return }
        let committedCount = Signal.allCases.reduce(0) { $0 + counters[$1.committedCounter] }
        let previousCount = lastCommittedCount.exchange(committedCount, ordering: .relaxed)
        let elapsedMs = max(1, Int(elapsedNs / 1_000_000))
        let currentRate = (committedCount - previousCount) * 1_000 / elapsedMs
        // Smoothed over a few seconds; a first observation counts in full.
        let previousRate = itemsPerSecond.load(ordering: .relaxed)
        let rate = previousRate == 0 ? currentRate : (previousRate * 3 + currentRate) / 4
        itemsPerSecond.store(rate, ordering: .relaxed)
    }
}
