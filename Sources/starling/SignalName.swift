// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base

/// A signal as an argument.
enum SignalName: String, ExpressibleByArgument, CaseIterable {
    case traces, logs, metrics

    var signal: Signal {
        switch self {
        case .traces: .traces
        case .logs: .logs
        case .metrics: .metrics
        }
    }

    init(_ signal: Signal) {
        switch signal {
        case .traces: self = .traces
        case .logs: self = .logs
        case .metrics: self = .metrics
        }
    }
}
