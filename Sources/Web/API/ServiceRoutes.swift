// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// What is asked about services.
enum ServiceRoutes {
    static func add(to routes: QueryRoutes) {
        routes.add(.get, "api/services", services)
        routes.add(.get, "api/service-map", map)
    }

    private static let services: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let figures = ServiceFigures(try request.takeRange())
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try figures.write(from: &session, to: &writer)
        }
    }

    private static let map: QueryRoutes.Handler = { (request, service) throws(QueryFailure) in
        let map = ServiceMap(try request.takeRange(), service: try request.takeText("service"))
        return try await service.answer(request) {
            (session, writer) throws(QueryFailure) in
            try map.write(from: &session, to: &writer)
        }
    }
}
