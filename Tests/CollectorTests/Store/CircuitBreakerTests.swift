// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector

struct CircuitBreakerTests {
    private let second: UInt64 = 1_000_000_000

    @Test("so many failures in a row open it", arguments: [(2, true), (3, false)])
    func opens(failureCount: Int, isClosed: Bool) {
        let breaker = CircuitBreaker(nowNs: 0, unixNs: 7)
        for _ in 0..<failureCount { breaker.failed("away", nowNs: second, unixNs: 8) }
        #expect(breaker.isClosed == isClosed)
        #expect(breaker.snapshot.failureCount == failureCount)
        #expect(breaker.snapshot.openedCount == (isClosed ? 0 : 1))
        #expect(breaker.snapshot.sinceUnixNs == (isClosed ? 7 : 8))
        #expect(breaker.snapshot.lastError == "away")
    }

    @Test func aSuccessInBetweenKeepsItClosed() {
        let breaker = CircuitBreaker(nowNs: 0, unixNs: 0)
        for _ in 0..<5 {
            breaker.failed("slow", nowNs: 1, unixNs: 1)
            breaker.failed("slow", nowNs: 1, unixNs: 1)
            #expect(!breaker.succeeded(nowNs: 2, unixNs: 2))
        }
        #expect(breaker.isClosed)
    }

    @Test("one failure after a long silence opens it", arguments: [(4_999, true), (5_000, false)])
    func silence(silenceMs: UInt64, isClosed: Bool) {
        let breaker = CircuitBreaker(nowNs: 0, unixNs: 0)
        #expect(breaker.failed("hung", nowNs: silenceMs * 1_000_000, unixNs: 1) == !isClosed)
        #expect(breaker.isClosed == isClosed)
    }

    @Test func oneAttemptAtATimeAfterDelaysThatGrow() {
        let breaker = CircuitBreaker(nowNs: 0, unixNs: 0)
        var nowNs = second
        for _ in 0..<3 { breaker.failed("away", nowNs: nowNs, unixNs: 1) }
        for boundMs: UInt64 in [500, 1_000, 2_000, 4_000, 5_000, 5_000] {
            #expect(!breaker.mayTry(nowNs: nowNs + boundMs * 500_000 - 1))
            nowNs += boundMs * 1_000_000
            #expect(breaker.isAttemptDue(nowNs: nowNs))
            #expect(breaker.mayTry(nowNs: nowNs))
            #expect(breaker.snapshot.state == .halfOpen)
            #expect(!breaker.mayTry(nowNs: nowNs))
            breaker.failed("away", nowNs: nowNs, unixNs: 1)
            #expect(breaker.snapshot.state == .open)
        }
        #expect(breaker.snapshot.openedCount == 1)
        #expect(breaker.mayTry(nowNs: nowNs + 5 * second))
        #expect(breaker.succeeded(nowNs: nowNs + 5 * second, unixNs: 9))
        #expect(breaker.isClosed && breaker.mayTry(nowNs: nowNs))
        #expect(breaker.snapshot.sinceUnixNs == 9)
    }

    @Test func anAttemptThatSaysNothingIsMadeAgainSoon() {
        let breaker = CircuitBreaker(nowNs: 0, unixNs: 0)
        breaker.undecided(nowNs: 0)
        #expect(breaker.isClosed)
        for _ in 0..<3 { breaker.failed("away", nowNs: 0, unixNs: 1) }
        breaker.undecided(nowNs: 0)
        #expect(breaker.mayTry(nowNs: second))
        breaker.undecided(nowNs: second)
        #expect(!breaker.mayTry(nowNs: second + second / 2 - 1))
        #expect(breaker.mayTry(nowNs: second + second / 2))
        #expect(breaker.snapshot.failureCount == 3)
    }

    @Test func anAttemptThatIsForgottenIsNotWaitedForForEver() {
        let breaker = CircuitBreaker(nowNs: 0, unixNs: 0)
        for _ in 0..<3 { breaker.failed("away", nowNs: 0, unixNs: 1) }
        #expect(breaker.mayTry(nowNs: second))
        #expect(!breaker.mayTry(nowNs: 61 * second - 1))
        #expect(breaker.mayTry(nowNs: 61 * second))
    }
}
