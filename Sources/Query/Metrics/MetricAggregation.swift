// SPDX-License-Identifier: Apache-2.0

/// What is made of the points of a step.
package enum MetricAggregation: Sendable, Equatable {
    case average, sum, minimum, maximum, count, last
    /// What was added in the step, and the same per second.
    case increase, rate
    /// Between 0 and 1.
    case quantile(Double)

    /// `avg`, `sum`, `min`, `max`, `count`, `last`, `increase`, `rate`, and `p50` up to `p99.99`.
    package init?(_ name: String) {
        switch name {
        case "avg": self = .average
        case "sum": self = .sum
        case "min": self = .minimum
        case "max": self = .maximum
        case "count": self = .count
        case "last": self = .last
        case "increase": self = .increase
        case "rate": self = .rate
        default:
            guard name.first == "p", name.utf8.count <= 6,
                name.dropFirst().allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
                let percent = Double(name.dropFirst()), (0...100).contains(percent)
            else { return nil }
            self = .quantile(percent / 100)
        }
    }
}

/// The kinds of metric, numbered as the field of `Metric.data` (OTLP, metrics.proto).
enum MetricKind: Int64 {
    case gauge = 5
    case sum = 7
    case histogram = 9
    case exponentialHistogram = 10
    case summary = 11

    var table: String {
        switch self {
        case .gauge, .sum: "otel_metrics_data_points_number"
        case .histogram: "otel_metrics_data_points_histogram"
        case .exponentialHistogram: "otel_metrics_data_points_exp_histogram"
        case .summary: "otel_metrics_data_points_summary"
        }
    }

    /// What is asked for where nothing is said.
    func usual(isMonotonic: Bool) -> MetricAggregation {
        switch self {
        case .gauge: .average
        case .sum: isMonotonic ? .rate : .sum
        case .histogram, .exponentialHistogram: .quantile(0.95)
        case .summary: .average
        }
    }

    /// Whether it can be made of such points.
    func allows(_ aggregation: MetricAggregation) -> Bool {
        switch (self, aggregation) {
        case (.gauge, .increase), (.gauge, .rate), (.gauge, .quantile), (.sum, .quantile): false
        case (.histogram, .last), (.exponentialHistogram, .last): false
        case (.summary, .last), (.summary, .minimum), (.summary, .maximum): false
        default: true
        }
    }
}
