// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// Which fields and values filters may name, for completion.
enum FieldRoutes {
    static func add(to routes: QueryRoutes) {
        routes.add(.get, "api/fields", list)
        routes.add(.get, "api/fields/:field/values", values)
    }

    private static let list: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let list = FieldList(
            of: try subject(of: &request), prefix: try request.takeText("prefix") ?? "",
            limit: try PageLimit(try request.takeInt("limit")))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try list.write(from: &session, to: &writer)
        }
    }

    private static let values: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let field = request.part("field")
        guard !field.utf8.contains(0) else {
            throw QueryFailure(
                .invalidParameter, "the field has a NUL character", pointer: "field")
        }
        let values = FieldValues(
            of: field, try subject(of: &request), prefix: try request.takeText("prefix") ?? "",
            limit: try PageLimit(try request.takeInt("limit")))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try values.write(from: &session, to: &writer)
        }
    }

    static let signals: [(name: String, subject: FilterSubject)] = [
        ("traces", .spans), ("logs", .logs), ("metrics", .series),
    ]

    private static func subject(
        of request: inout QueryRequest
    ) throws(QueryFailure) -> FilterSubject {
        let written = try request.take("signal")
        guard let found = signals.first(where: { $0.name == written }) else {
            throw QueryFailure(
                .invalidParameter,
                "signal is \(written.map { "\"\($0)\"" } ?? "missing"), and has to be "
                    + signals.map(\.name).joined(separator: ", "), pointer: "signal")
        }
        return found.subject
    }
}
