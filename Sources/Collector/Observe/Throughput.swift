// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Samples of what the daemon counts, a second apart, and the rates between them.
///
/// Thread: confined to one.
struct Throughput {
    private struct Sample {
        let timeNs: UInt64
        let received: [Signal: Int]
        let committed: [Signal: Int]
        let ackLatency: HistogramSnapshot
    }

    private var samples: [Sample] = []

    /// The oldest sample that counts is as old as this.
    static let windowNs: UInt64 = 10_000_000_000

    mutating func take(_ counters: Counters, ackLatency: HistogramSnapshot, nowNs: UInt64) {
        func counts(_ counter: KeyPath<Signal, Counter>) -> [Signal: Int] {
            var counts: [Signal: Int] = [:]
            for signal in Signal.allCases { counts[signal] = counters[signal[keyPath: counter]] }
            return counts
        }
        samples.append(
            Sample(
                timeNs: nowNs, received: counts(\.receivedCounter),
                committed: counts(\.committedCounter), ackLatency: ackLatency))
        // One that is older stays, so that the window is covered.
        while samples.count > 2, samples[1].timeNs + Throughput.windowNs <= nowNs {
            samples.removeFirst()
        }
    }

    /// Between the oldest sample and the newest; nothing before there are two.
    var recent: DaemonObservation.Recent {
        var recent = DaemonObservation.Recent()
        guard let first = samples.first, let last = samples.last, last.timeNs > first.timeNs
        else { return recent }
        recent.spanNs = last.timeNs - first.timeNs
        let seconds = Double(recent.spanNs) / 1e9
        for signal in Signal.allCases {
            recent.receivedPerSecond[signal] = Throughput.rate(
                from: first.received[signal], to: last.received[signal], seconds)
            recent.committedPerSecond[signal] = Throughput.rate(
                from: first.committed[signal], to: last.committed[signal], seconds)
        }
        recent.ackLatency = last.ackLatency.since(first.ackLatency)
        return recent
    }

    /// One decimal.
    private static func rate(from first: Int?, to last: Int?, _ seconds: Double) -> Double {
        let rate = Double((last ?? 0) - (first ?? 0)) / seconds
        return (rate * 10).rounded() / 10
    }
}
