// SPDX-License-Identifier: Apache-2.0
import Synchronization
import Testing

@testable import Base

private let second: UInt64 = 1_000_000_000

@Suite struct RateLimitTests {
    @Test func aSecondsWorthAtOnceThenTheRate() {
        let limit = RateLimit(perSecond: 10)
        var nowNs = 100 * second
        for _ in 0..<10 { #expect(limit.take(1, nowNs: nowNs) == nil) }
        #expect(limit.take(1, nowNs: nowNs) == 1)
        nowNs += second / 10
        #expect(limit.take(1, nowNs: nowNs) == nil)
        #expect(limit.take(1, nowNs: nowNs) != nil)
        // Credit does not grow beyond a second's worth.
        nowNs += 50 * second
        var grantedCount = 0
        while limit.take(1, nowNs: nowNs) == nil { grantedCount += 1 }
        #expect(grantedCount == 10)
    }

    @Test func whatIsLargerThanTheBucketLeavesADebt() {
        let limit = RateLimit(perSecond: 10)
        let nowNs = 100 * second
        #expect(limit.take(50, nowNs: nowNs) == nil)
        #expect(limit.take(1, nowNs: nowNs) == 4 * second + 1)
        #expect(limit.take(1, nowNs: nowNs + 4 * second) == 1)
        #expect(limit.take(1, nowNs: nowNs + 4 * second + 1) == nil)
    }

    @Test func overTimeTheRateHolds() {
        let limit = RateLimit(perSecond: 1_000)
        var nowNs = 5 * second
        var takenCount = 0
        // 20 s in steps of a millisecond, each asking for up to 13 at once.
        for step in 0..<20_000 {
            let amount = step % 13 + 1
            if limit.take(amount, nowNs: nowNs) == nil { takenCount += amount }
            nowNs += second / 1_000
        }
        #expect((20_000...21_013).contains(takenCount), "\(takenCount)")
    }

    @Test func givingBackUndoesATake() {
        let limit = RateLimit(perSecond: 10)
        let nowNs = 100 * second
        #expect(limit.take(50, nowNs: nowNs) == nil)
        limit.giveBack(50)
        #expect(limit.take(10, nowNs: nowNs) == nil)
        #expect(limit.take(1, nowNs: nowNs) != nil)
    }

    @Test func theBucketIsAsLargeAsItIsMade() {
        let limit = RateLimit(perSecond: 100, burstNs: second / 10)
        let nowNs = 100 * second
        for _ in 0..<10 { #expect(limit.take(1, nowNs: nowNs) == nil) }
        #expect(limit.take(1, nowNs: nowNs) == 1)
    }

    @Test func waitIsWhatTakeWouldSay() {
        let limit = RateLimit(perSecond: 10)
        let nowNs = 100 * second
        #expect(limit.waitNs(nowNs: nowNs) == nil)
        #expect(limit.take(50, nowNs: nowNs) == nil)
        #expect(limit.waitNs(nowNs: nowNs) == 4 * second + 1)
        #expect(limit.waitNs(nowNs: nowNs + 4 * second + 1) == nil)
        let quota = TokenQuota(itemsPerSecond: 10, bytesPerSecond: 10)
        #expect(quota.waitNs(nowNs: nowNs) == nil)
        quota.bytes?.charge(50, nowNs: nowNs)
        #expect(quota.waitNs(nowNs: nowNs) == 4 * second + 1)
    }

    @Test func aChargeAddsToWhatIsOwed() {
        let limit = RateLimit(perSecond: 10)
        let nowNs = 100 * second
        for _ in 0..<2 { limit.charge(50, nowNs: nowNs) }
        #expect(limit.waitNs(nowNs: nowNs) == 9 * second + 1)
        for _ in 0..<9 { limit.charge(.max, nowNs: nowNs) }
        #expect((limit.waitNs(nowNs: nowNs) ?? 0) > second)
        let slow = RateLimit(perSecond: 1)
        for _ in 0..<9 { slow.charge(.max, nowNs: nowNs) }
        #expect((slow.waitNs(nowNs: nowNs) ?? 0) > second)
    }

    @Test func extremesDoNotOverflow() {
        let slow = RateLimit(perSecond: 1)
        #expect(slow.take(.max, nowNs: second) == nil)
        #expect((slow.take(1, nowNs: second) ?? 0) > second)
        let fast = RateLimit(perSecond: RateLimit.perSecondMax)
        #expect(fast.take(.max, nowNs: 0) != nil)
        #expect(fast.take(.max, nowNs: second) == nil)
        #expect(fast.take(0, nowNs: second) == nil)
    }

    /// Threads that take at one frozen moment get what there is, together and once.
    @Test func sharedByThreads() async {
        let limit = RateLimit(perSecond: 1_000)
        let grantedCount = Atomic<Int>(0)
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<1_000).count { _ in limit.take(1, nowNs: 100 * second) == nil }
                }
            }
            for await count in group { grantedCount.add(count, ordering: .relaxed) }
        }
        #expect(grantedCount.load(ordering: .relaxed) == 1_000)
    }

    @Test func aQuotaTakesBothOrNeither() {
        let quota = TokenQuota(itemsPerSecond: 10, bytesPerSecond: 100)
        let nowNs = 100 * second
        #expect(quota.take(itemCount: 1, sizeBytes: 300, nowNs: nowNs) == nil)
        // Bytes are owed, so the nine items that are left stay.
        for _ in 0..<20 {
            #expect(quota.take(itemCount: 1, sizeBytes: 1, nowNs: nowNs) == 2 * second + 1)
        }
        let laterNs = nowNs + 2 * second + 1
        #expect(quota.take(itemCount: 10, sizeBytes: 1, nowNs: laterNs) == nil)
        #expect(TokenQuota(itemsPerSecond: nil, bytesPerSecond: nil).isUnlimited)
        #expect(
            TokenQuota(itemsPerSecond: nil, bytesPerSecond: nil)
                .take(itemCount: .max, sizeBytes: .max, nowNs: 0) == nil)
    }
}
