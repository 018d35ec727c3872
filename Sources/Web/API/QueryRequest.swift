// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import NIOCore
internal import Query

/// A request to the query API, as its handlers see it.
///
/// Parameters are taken, one by one; those that nobody took are unknown, and an error.
struct QueryRequest {
    /// The parts of the path that vary, by their names in the route.
    let path: Parameters
    /// The body, whole; empty where there is none.
    let body: [UInt8]
    /// For the query to be given up when the client leaves.
    let interest: Interest
    let acceptsGzip: Bool
    /// The fields Accept.
    let accepted: [String]
    /// What a browser sends that comes back to a stream of events (HTML, section 9.2.4).
    let lastEventID: String?
    private var parameters: [(name: String, value: String)]

    private static let lastEventIDField = HTTPFields.Element.Name("Last-Event-ID")

    static let bodySizeBytesMax = 1 << 20
    static let parameterCountMax = 200

    /// Reads the body. Errors: `invalidParameter`, `bodyTooLarge`.
    init(
        _ request: Request, _ context: PeerContext, _ interest: Interest
    ) async throws(QueryFailure) {
        path = context.parameters
        self.interest = interest
        accepted = request.headers[values: .accept]
        lastEventID = QueryRequest.lastEventIDField.flatMap { request.headers[$0] }
        acceptsGzip = QueryRequest.takesGzip(request.headers[values: .acceptEncoding])
        parameters = QueryText.parameters(request.uri.query ?? "")
        guard parameters.count <= QueryRequest.parameterCountMax else {
            throw QueryFailure(
                .invalidParameter,
                "there are \(parameters.count) parameters, and there may be "
                    + "\(QueryRequest.parameterCountMax); ask with POST and a body")
        }
        do {
            let buffer = try await request.body.collect(upTo: QueryRequest.bodySizeBytesMax)
            body = Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw QueryFailure(
                .bodyTooLarge, "the body is larger than \(QueryRequest.bodySizeBytesMax) bytes")
        } catch {
            throw QueryFailure(.cancelled, "the client left")
        }
    }

    /// A part of the path by its name in the route, decoded.
    func part(_ name: String) -> String { QueryText.decoded(path.get(name) ?? "", isForm: false) }

    /// Takes the parameter `name`; nil where it is not there. Twice is an error.
    mutating func take(_ name: String) throws(QueryFailure) -> String? {
        let values = takeAll(name)
        guard values.count <= 1 else {
            throw QueryFailure(
                .invalidParameter, "\(name) is there \(values.count) times", pointer: name)
        }
        return values.first
    }

    /// Takes every value of the parameter `name`, in their order.
    mutating func takeAll(_ name: String) -> [String] {
        let values = parameters.filter { $0.name == name }.map(\.value)
        parameters.removeAll { $0.name == name }
        return values
    }

    /// Takes every parameter whose name begins with `prefix`, in their order, without it.
    mutating func takeAll(prefix: String) -> [(name: String, value: String)] {
        let taken = parameters.filter { $0.name.hasPrefix(prefix) }
        parameters.removeAll { $0.name.hasPrefix(prefix) }
        return taken.map { (String($0.name.dropFirst(prefix.count)), $0.value) }
    }

    /// To be called when all are taken.
    func checkNothingIsLeft() throws(QueryFailure) {
        guard let first = parameters.first else { return }
        throw QueryFailure(
            .invalidParameter, "there is no parameter \(first.name) here", pointer: first.name)
    }

    /// Whether gzip is named, and not with a quality of 0 (RFC 9110, section 12.5.3).
    static func takesGzip(_ fields: [String]) -> Bool {
        for coding in fields.flatMap({ $0.split(separator: ",") }) {
            let parts = coding.split(separator: ";").map {
                $0.filter { !$0.isWhitespace }.lowercased()
            }
            guard parts.first == "gzip" || parts.first == "*" else { continue }
            return !parts.dropFirst().contains {
                $0.hasPrefix("q=0") && Double($0.dropFirst(2)) == 0
            }
        }
        return false
    }
}
