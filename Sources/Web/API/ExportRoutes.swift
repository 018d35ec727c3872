// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// Exports of spans and log records: what a search finds, all of it, as a stream.
enum ExportRoutes {
    static let elements = [SearchQuestion.Elements.spans, .logs]

    static func add(to routes: QueryRoutes) {
        for elements in elements {
            routes.addStream(.get, "api/\(elements.rawValue)/export") {
                (request, service) throws(QueryFailure) in
                let format = try ExportFormat(
                    try request.take("format"), accepted: request.accepted)
                let limit = try request.takeInt("limit")
                let question = try SearchParameters.question(elements, taking: &request)
                let export = try Export(question, as: format, limit: limit)
                let stream = try await service.export(for: request.interest) {
                    (session, stream) throws(QueryFailure) in
                    try export.write(from: &session, to: stream)
                }
                return StreamedAnswer(
                    stream, contentType: format.contentType,
                    fileName: "\(elements.rawValue).\(format.fileExtension)",
                    lastWords: format.lastWords)
            }
        }
    }
}
