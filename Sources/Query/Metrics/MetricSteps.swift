// SPDX-License-Identifier: Apache-2.0

/// The range of a question divided into steps.
struct MetricSteps: Sendable {
    let range: TimeRange
    /// Nanoseconds.
    let stepNs: Int64
    /// How long before the range points are read, for what they had counted until then.
    let lookbackNs: Int64
    let warning: String?

    static let countMax: Int64 = 2_000
    private static let countDefault: Int64 = 100
    private static let secondNs: Int64 = 1_000_000_000
    private static let lookbackNsMin: Int64 = 300 * secondNs

    init(_ range: TimeRange, askedNs: Int64?) {
        self.range = range
        let shortestNs = (range.widthNs + MetricSteps.countMax - 1) / MetricSteps.countMax
        let wantedNs = askedNs ?? MetricSteps.usualNs(range.widthNs)
        stepNs = max(wantedNs, shortestNs, 1)
        warning =
            stepNs > wantedNs
            ? "step is \(wantedNs) ns, and there may be \(MetricSteps.countMax) steps: it is "
                + "\(stepNs) ns here" : nil
        lookbackNs = max(MetricSteps.lookbackNsMin, min(stepNs, range.startUnixNs))
    }

    /// Whole seconds, where the range is long enough for that.
    private static func usualNs(_ widthNs: Int64) -> Int64 {
        let exactNs = widthNs / countDefault + 1
        return exactNs < secondNs ? exactNs : (exactNs + secondNs - 1) / secondNs * secondNs
    }

    /// The begin of a step, in Unix nanoseconds.
    func startUnixNs(_ step: Int64) -> Int64 { range.startUnixNs + step * stepNs }
}
