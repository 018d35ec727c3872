// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// Follows spans or log records as they are stored.
enum TailRoutes {
    static func add(to routes: QueryRoutes) {
        for elements in TailRoutes.elements {
            routes.addStream(.get, "api/\(elements.rawValue)/tail") {
                (request, service) throws(QueryFailure) in
                let question = try question(elements, taking: &request)
                let chunks = try await service.tail(question)
                return StreamedAnswer(
                    chunks, contentType: question.form.contentType,
                    lastWords: question.form == .events ? .event : .line)
            }
        }
    }

    static let elements: [SearchQuestion.Elements] = [.spans, .logs]

    private static func question(
        _ elements: SearchQuestion.Elements, taking request: inout QueryRequest
    ) throws(QueryFailure) -> TailQuestion {
        let (filter, _) = try SearchParameters.filter(elements, taking: &request)
        let form = try form(of: request, try request.take("format"))
        let startTime = try request.take("start_time")
        let startLimit = try request.takeInt("start_limit")
        let limit = try request.takeInt("limit")
        let written = try request.take("cursor")
        try request.checkNothingIsLeft()
        // A browser comes back to the URL that it began with: what it has seen since counts.
        let last = request.lastEventID.flatMap { $0.isEmpty ? nil : $0 }
        return try TailQuestion(
            elements, filter: filter, form: form, startTime: last == nil ? startTime : nil,
            startLimit: last == nil ? startLimit : nil, limit: limit, cursor: last ?? written)
    }

    private static func form(
        of request: QueryRequest, _ name: String?
    ) throws(QueryFailure) -> TailQuestion.Form {
        switch name {
        case "sse": return .events
        case "ndjson": return .lines
        case nil:
            let isLines = request.accepted.contains {
                $0.lowercased().contains("application/x-ndjson")
            }
            return isLines ? .lines : .events
        case let name?:
            throw QueryFailure(
                .invalidParameter, "format is \"\(name)\", and has to be sse or ndjson",
                pointer: "format")
        }
    }
}
