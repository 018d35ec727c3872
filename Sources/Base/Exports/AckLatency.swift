// SPDX-License-Identifier: Apache-2.0

/// How long acknowledgements took on one loop, per signal: from the end of the request to its
/// answer.
///
/// Thread: recorded by its loop, read by any.
package struct AckLatency: Sendable {
    private let traces = Histogram()
    private let logs = Histogram()
    private let metrics = Histogram()

    package init() {}

    package subscript(_ signal: Signal) -> Histogram {
        switch signal {
        case .traces: traces
        case .logs: logs
        case .metrics: metrics
        }
    }

    package var all: [Histogram] { [traces, logs, metrics] }
}
