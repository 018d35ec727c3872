// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// Exports: what a search finds, and points of metrics, all of it, as a stream.
enum ExportRoutes {
    static func add(to routes: QueryRoutes) {
        for items in ExportQuestion.Items.allCases {
            routes.addStream(.get, "api/\(items.rawValue)/export") {
                (request, service) throws(QueryFailure) in
                let format = try format(of: &request)
                let question = try SearchParameters.export(items, taking: &request)
                return try await answer(items, question, as: format, request, service)
            }
            routes.addStream(.post, "api/\(items.rawValue)/export") {
                (request, service) throws(QueryFailure) in
                let format = try format(of: &request)
                try request.checkNothingIsLeft()
                let question = try ExportQuestion(items, body: request.body)
                return try await answer(items, question, as: format, request, service)
            }
        }
        routes.addStream(.get, "api/metrics/:name/export") {
            (request, service) throws(QueryFailure) in
            let format = try format(of: &request)
            let metric = try MetricRoutes.metricName(of: request)
            let question = try SearchParameters.export(.metrics, of: metric, taking: &request)
            return try await answer(.metrics, question, as: format, request, service)
        }
    }

    private static func format(
        of request: inout QueryRequest
    ) throws(QueryFailure) -> ExportFormat {
        try ExportFormat(try request.take("format"), accepted: request.accepted)
    }

    private static func answer(
        _ items: ExportQuestion.Items, _ question: ExportQuestion, as format: ExportFormat,
        _ request: QueryRequest, _ service: QueryService
    ) async throws(QueryFailure) -> StreamedAnswer {
        let export = Export(question, as: format, isPacked: request.acceptsGzip)
        let stream = try await service.export(for: request.interest) {
            (session, stream) throws(QueryFailure) in
            try export.write(from: &session, to: stream)
        }
        return StreamedAnswer(
            stream, contentType: format.contentType,
            fileName: "\(items.rawValue).\(format.fileExtension)", lastWords: format.lastWords,
            isPacked: export.isPacked)
    }
}
