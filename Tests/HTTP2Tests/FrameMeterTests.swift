// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import HTTP2

// Goal: a flood is noticed at its limit, and nothing that a good client does ever is.

private let secondNs: UInt64 = 1_000_000_000

@Suite struct FrameMeterTests {
    /// How many of ten tries are granted at once.
    private func granted(_ bucket: inout TokenBucket, nowNs: UInt64) -> Int {
        (0..<10).map { _ in bucket.take(nowNs: nowNs) }.count { $0 }
    }

    @Test func bucketGivesItsBurstAndThenItsRate() {
        var bucket = TokenBucket(RateLimit(burst: 3, intervalNs: 10))
        let counts = [100, 109, 110, 1_000].map { granted(&bucket, nowNs: $0) }
        #expect(counts == [3, 0, 1, 3])
    }

    @Test func bucketHoldsNoMoreThanItsBurst() {
        var bucket = TokenBucket(RateLimit(burst: 2, intervalNs: 10))
        _ = bucket.take(nowNs: 100)
        bucket.putBack(50)
        let afterPutBack = granted(&bucket, nowNs: 100)
        bucket.refill()
        let afterRefill = granted(&bucket, nowNs: 100)
        #expect(afterPutBack == 2 && afterRefill == 2)
    }

    @Test(
        arguments: [
            (.ping, .pings, 20), (.settings, .settings, 50), (.controlFrame, .controlFrames, 2_000),
            (.reset, .resets, 2_000), (.invalidFrame, .invalidFrames, 100),
            (.headerList, .headerLists, 10),
        ] as [(FrameMeter.Event, Abuse, Int)])
    func eachFloodHasItsLimit(event: FrameMeter.Event, abuse: Abuse, burst: Int) {
        var meter = FrameMeter(HTTP2Settings())
        let found = (0...burst).map { _ in meter.count(event, nowNs: secondNs) }
        #expect(found.dropLast().allSatisfy { $0 == nil } && found.last == abuse)
    }

    // c-core and grpc-go: a PING and a few WINDOW_UPDATEs after each answer, as fast as they like.
    @Test func answersPayForWhatClientsSendAfterThem() {
        var meter = FrameMeter(HTTP2Settings())
        let events: [FrameMeter.Event] = [.ping, .controlFrame, .controlFrame]
        for _ in 0..<100_000 {
            meter.answered()
            let found = events.compactMap { meter.count($0, nowNs: secondNs) }
            #expect(found.isEmpty)
        }
    }

    @Test(arguments: [(10, true), (5, true), (4, false)] as [(UInt64, Bool)])
    func keepaliveOfAnIdleClient(seconds: UInt64, isBorne: Bool) {
        var meter = FrameMeter(HTTP2Settings())
        let found = (1...200).compactMap { meter.count(.ping, nowNs: $0 * seconds * secondNs) }
        #expect(found.isEmpty == isBorne)
    }
}
