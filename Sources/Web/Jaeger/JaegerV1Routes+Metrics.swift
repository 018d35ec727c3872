// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Query

/// What Jaeger's Monitor tab asks.
extension JaegerV1Routes {
    private static let hourNs: Int64 = 3_600_000_000_000
    private static let stepNsDefault: Int64 = 5_000_000_000
    private static let windowNsDefault: Int64 = 600_000_000_000

    /// `name` is calls, errors or latencies.
    static func metrics(
        _ name: String, _ request: QueryRequest, _ service: QueryService
    ) async throws(QueryFailure) -> Answer {
        var parameters = JaegerParameters(request)
        let metrics = JaegerMetrics(
            try measure(name, &parameters), services: try services(&parameters),
            kindIDs: try kinds(&parameters),
            endUnixNs: try parameters.milliseconds("endTs") ?? Int64(clamping: Clock.unixNs),
            lookbackNs: try parameters.milliseconds("lookback") ?? hourNs,
            stepNs: try parameters.milliseconds("step") ?? stepNsDefault,
            windowNs: try parameters.milliseconds("ratePer") ?? windowNsDefault,
            isByOperation: try parameters.truth("groupByOperation"))
        return try await service.answer(for: request.interest) {
            (session, writer) throws(QueryFailure) in
            try metrics.write(from: &session, to: &writer)
        }
    }

    static let shortestStep: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        try await service.answer(for: request.interest) { (_, writer) throws(QueryFailure) in
            JaegerV1.writeShortestStep(to: &writer)
        }
    }

    private static func services(
        _ parameters: inout JaegerParameters
    ) throws(QueryFailure) -> [String] {
        let services = try parameters.texts("service")
        guard !services.isEmpty else {
            throw QueryFailure(.invalidParameter, "the parameter service is missing")
        }
        guard services.count <= JaegerMetrics.serviceCountMax else {
            throw QueryFailure(
                .invalidParameter,
                "there are \(services.count) services, and there may be "
                    + "\(JaegerMetrics.serviceCountMax)", pointer: "service")
        }
        return services
    }

    private static func kinds(
        _ parameters: inout JaegerParameters
    ) throws(QueryFailure) -> [Int64] {
        let kinds = try parameters.kindIDs("spanKind")
        return kinds.isEmpty ? [JaegerSpanKind.server.rawValue] : kinds
    }

    private static func measure(
        _ name: String, _ parameters: inout JaegerParameters
    ) throws(QueryFailure) -> JaegerMetrics.Measure {
        switch name {
        case "calls": return .calls
        case "errors": return .errors
        default:
            guard let written = try parameters.text("quantile") else {
                throw QueryFailure(.invalidParameter, "the parameter quantile is missing")
            }
            guard let quantile = Double(written), quantile > 0, quantile <= 1 else {
                throw JaegerParameters.malformed(
                    "quantile", written, "a number above 0, and 1 at most")
            }
            return .latencies(quantile: quantile)
        }
    }
}
