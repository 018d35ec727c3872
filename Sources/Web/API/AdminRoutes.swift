// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import Query

/// What is asked about the store itself, and the little that is changed there.
enum AdminRoutes {
    static func add(to routes: QueryRoutes) {
        routes.add(.get, "api/partitions", partitions)
        routes.add(.get, "api/retention", retention)
        routes.add(.put, "api/retention/:signal", for: .admin, setRetention)
        routes.add(.get, "api/dead-letters", deadLetters)
        routes.add(.get, "api/dead-letters/:id", deadLetter)
    }

    private static let partitions: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var wanted: Signal?
        if let text = try request.take("signal") { wanted = try signal(text) }
        return try await service.answer(request) {
            [wanted] (session, writer) throws(QueryFailure) in
            try PartitionList.write(of: wanted, from: &session, to: &writer)
        }
    }

    private static let retention: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try RetentionRules.write(from: &session, to: &writer)
        }
    }

    private static let setRetention: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        let signal = try signal(request.part("signal"))
        let change = try RetentionChange(signal, try JSONValue(request.body))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try change.apply(over: &session, to: &writer)
        }
    }

    private static let deadLetters: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        var asked = DeadLetterList.Asked()
        if let text = try request.take("signal") { asked.signal = try signal(text) }
        asked.reason = try request.takeText("reason")
        asked.sqlState = try request.takeText("sqlstate")
        asked.tenant = try request.takeText("tenant")
        asked.service = try request.takeText("service")
        let list = try DeadLetterList(
            asked, limit: try PageLimit(try request.takeInt("limit")),
            cursor: try request.take("cursor"))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try list.write(from: &session, to: &writer)
        }
    }

    private static let deadLetter: QueryRoutes.Handler = {
        (request, service) throws(QueryFailure) in
        guard let id = Int64(request.part("id")), id > 0 else {
            throw QueryFailure(
                .invalidParameter, "a dead letter is named by a number above 0", pointer: "id")
        }
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try DeadLetterList.writeOne(id, from: &session, to: &writer)
        }
    }

    private static func signal(_ text: String) throws(QueryFailure) -> Signal {
        guard let signal = Signal.allCases.first(where: { $0.storedName == text }) else {
            throw QueryFailure(
                .invalidParameter, "signal is \"\(text)\", and has to be traces, logs or metrics",
                pointer: "signal")
        }
        return signal
    }
}
