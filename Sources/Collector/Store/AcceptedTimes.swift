// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Rows
internal import Synchronization

/// Which times are stored now, per signal: no older than `partitions.accept_past`, and no older
/// than the signal is kept, because such a row would be dropped as soon as it is acknowledged.
///
/// The janitor follows the policy, writers ask. Thread: any. Cost: one relaxed load.
final class AcceptedTimes: Sendable {
    private let configuredPastNs: UInt64
    private let futureNs: UInt64
    private let tracesPastNs: Atomic<UInt64>
    private let logsPastNs: Atomic<UInt64>
    private let metricsPastNs: Atomic<UInt64>

    init(pastNs: UInt64, futureNs: UInt64) {
        configuredPastNs = pastNs
        self.futureNs = futureNs
        tracesPastNs = Atomic(pastNs)
        logsPastNs = Atomic(pastNs)
        metricsPastNs = Atomic(pastNs)
    }

    func window(of signal: Signal, nowUnixNs: UInt64) -> AcceptWindow {
        let pastNs =
            switch signal {
            case .traces: tracesPastNs.load(ordering: .relaxed)
            case .logs: logsPastNs.load(ordering: .relaxed)
            case .metrics: metricsPastNs.load(ordering: .relaxed)
            }
        return AcceptWindow(nowUnixNs: nowUnixNs, pastNs: pastNs, futureNs: futureNs)
    }

    func follow(_ policy: RetentionPolicy) {
        tracesPastNs.store(pastNs(policy[.traces]), ordering: .relaxed)
        logsPastNs.store(pastNs(policy[.logs]), ordering: .relaxed)
        metricsPastNs.store(pastNs(policy[.metrics]), ordering: .relaxed)
    }

    private func pastNs(_ rule: RetentionRule) -> UInt64 {
        guard let days = rule.days else { return configuredPastNs }
        let (keptNs, isTooLong) = UInt64(max(0, days)).multipliedReportingOverflow(
            by: 86_400_000_000_000)
        return isTooLong ? configuredPastNs : min(configuredPastNs, keptNs)
    }
}
