// SPDX-License-Identifier: Apache-2.0

/// The three kinds of telemetry that OTLP carries and Starling stores.
package enum Signal: UInt8, CaseIterable, Sendable {
    case traces, logs, metrics

    /// As columns named `signal` have it.
    package var storedName: String {
        switch self {
        case .traces: "traces"
        case .logs: "logs"
        case .metrics: "metrics"
        }
    }

    /// What one item of the signal is called in messages, metrics and tables.
    package var itemName: String {
        switch self {
        case .traces: "spans"
        case .logs: "log records"
        case .metrics: "data points"
        }
    }
}
