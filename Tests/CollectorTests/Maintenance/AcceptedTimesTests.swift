// SPDX-License-Identifier: Apache-2.0
import Base
import Rows
import Testing

@testable import Collector
@testable import Postgres

private let dayNs: UInt64 = 86_400_000_000_000
private let nowNs = 20_778 * dayNs

// Goal: what would be dropped at once is not accepted. Method: the window before and after the
// policy is known.
struct AcceptedTimesTests {
    private func pastDays(_ accepted: AcceptedTimes, _ signal: Signal) -> UInt64 {
        (nowNs - accepted.window(of: signal, nowUnixNs: nowNs).minUnixNs) / dayNs
    }

    @Test func signalsFollowTheirRules() {
        let accepted = AcceptedTimes(pastNs: 30 * dayNs, futureNs: dayNs)
        for signal in Signal.allCases { #expect(pastDays(accepted, signal) == 30) }
        var policy = RetentionPolicy()
        policy[.traces] = RetentionRule(days: 7)
        policy[.logs] = RetentionRule(days: 90)
        policy[.metrics] = RetentionRule(sizeBytesMax: 1)
        accepted.follow(policy)
        #expect(Signal.allCases.map { pastDays(accepted, $0) } == [7, 30, 30])
        #expect(accepted.window(of: .traces, nowUnixNs: nowNs).maxUnixNs == nowNs + dayNs)
        policy[.traces] = RetentionRule(days: nil)
        policy[.logs] = RetentionRule(days: .max)
        policy[.metrics] = RetentionRule(days: 1)
        accepted.follow(policy)
        #expect(Signal.allCases.map { pastDays(accepted, $0) } == [30, 30, 1])
    }

    /// A row of the oldest accepted time is in a partition that stays.
    @Test func whatIsAcceptedIsKept() {
        let accepted = AcceptedTimes(pastNs: 30 * dayNs, futureNs: dayNs)
        var policy = RetentionPolicy()
        policy[.traces] = RetentionRule(days: 3)
        accepted.follow(policy)
        let oldestNs = Int64(accepted.window(of: .traces, nowUnixNs: nowNs).minUnixNs)
        let cutOffNs = policy[.traces].cutOffNs(nowUnixNs: Int64(nowNs))
        #expect(cutOffNs == oldestNs)
    }
}
