// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The methods that are served, by request path.
enum Route: Equatable {
    case export(Signal)
    case health(HealthService.Method)
    case reflection

    /// The path of each Export method (OTLP protos, service definitions).
    static func path(of signal: Signal) -> StaticString {
        switch signal {
        case .traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        case .logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        case .metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
        }
    }

    /// Whether telemetry comes this way.
    var isExport: Bool {
        if case .export = self { true } else { false }
    }

    /// The full name of the service that takes a signal: the first part of its path.
    static func serviceName(of signal: Signal) -> String {
        let path = "\(Route.path(of: signal))"
        return path.split(separator: "/").first.map(String.init) ?? path
    }

    /// The route of a `:path` value, or nil for a method that is not implemented.
    static func find(path: ByteSlice) -> Route? {
        if let signal = Signal.allCases.first(where: { path.equals(Route.path(of: $0)) }) {
            return .export(signal)
        }
        if ReflectionService.paths.contains(where: { path.equals($0) }) { return .reflection }
        return HealthService.Method.allCases.first { path.equals($0.path) }.map(Route.health)
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
