// SPDX-License-Identifier: Apache-2.0
import Hummingbird
import Postgres
import Query
import Testing

@testable import Web

@Suite struct OpenAPITests {
    @Test func theDocumentHasEveryRouteAndNoOther() {
        let database = DatabaseSettings(url: "")
        let settings = ReaderSettings(
            database: database, writable: database, readerCount: 1, waitingCountMax: 1,
            rangeNsMax: 1, streamCountMax: 1, fetchTimeoutMs: 1, tailCountMax: 1,
            tailIntervalNs: 1)
        let routes = QueryRoutes(
            to: Router(context: PeerContext.self), answering: QueryService(settings), for: nil)
        QueryAPI.add(to: routes)
        let served = routes.methods.flatMap { path, methods in
            methods.filter { $0 != .head }.map { "\($0) \(path)" }
        }
        let described = OpenAPIDocument.operations.map { "\($0.method) \($0.path)" }
        #expect(served.sorted() == described.sorted())
    }

    @Test func everyPartOfAPathIsAParameter() {
        for operation in OpenAPIDocument.operations {
            let parts = operation.path.split(separator: "/").filter { $0.first == ":" }
            let names = operation.parameters.filter(\.isInPath).map(\.name)
            #expect(parts.map { String($0.dropFirst()) } == names, "\(operation.path)")
        }
    }

    @Test(arguments: [
        ("gzip", true), ("br, gzip", true), ("gzip;q=0.5", true), ("*", true), ("", false),
        ("br", false), ("gzip;q=0", false), ("gzip; q=0.0", false), ("x-gzipped", false),
    ])
    func gzipIsTakenWhereItIsNamed(_ field: String, _ isTaken: Bool) {
        #expect(QueryRequest.takesGzip([field]) == isTaken)
    }
}
