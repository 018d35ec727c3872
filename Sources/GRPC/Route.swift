// SPDX-License-Identifier: Apache-2.0
package import Base

/// The methods that are served, by request path.
package enum Route: Sendable, Equatable {
    case export(Signal)

    /// The path of each Export method (OTLP protos, service definitions).
    package static func path(of signal: Signal) -> StaticString {
        switch signal {
        case .traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        case .logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        case .metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
        }
    }

    /// The route of a `:path` value, or nil for a method that is not implemented.
    static func find(path: ByteSlice) -> Route? {
        Signal.allCases.first { path.equals(Route.path(of: $0)) }.map(Route.export)
    }
}

extension ByteSlice {
    /// True when the bytes are those of `text`.
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return unsafe elementsEqual(
            ByteSlice(base: UnsafeRawPointer(text.utf8Start), count: text.utf8CodeUnitCount))
    }

    /// True when the bytes begin with those of `text`.
    func starts(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        return slice(offset: 0, count: text.utf8CodeUnitCount).equals(text)
    }
}
