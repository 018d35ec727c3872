// SPDX-License-Identifier: Apache-2.0

/// What a span is about, told from the attributes that the semantic conventions give such spans.
enum SemanticType: String, CaseIterable {
    // In this order: an RPC over HTTP is an RPC.
    case genAI = "gen_ai"
    case faas, messaging, rpc, db, http
    /// None of these.
    case `internal`

    /// A span that has one of these is of the type.
    var keys: [String] {
        switch self {
        case .genAI: ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system"]
        case .faas: ["faas.trigger", "faas.invoked_name"]
        case .messaging: ["messaging.system", "messaging.operation.type"]
        case .rpc: ["rpc.system", "rpc.system.name"]
        case .db: ["db.system.name", "db.system"]
        case .http: ["http.request.method", "http.method"]
        case .internal: []
        }
    }

    /// SQL of the type of the span `fact`, as text.
    static func expression(_ catalogue: FieldCatalogue) -> String {
        expression(of: "fact.attributes") { type in
            type.keys.flatMap { catalogue.columns(of: $0, in: .span) }
                .map { "fact.\($0.name) IS NOT NULL" }
        }
    }

    /// SQL of the type of the span that has all its attributes in `object`, as text.
    static func expression(of object: String) -> String { expression(of: object) { _ in [] } }

    /// The keys are constants of this file.
    private static func expression(
        of object: String, or others: (SemanticType) -> [String]
    ) -> String {
        let cases = allCases.filter { $0 != .internal }.map { type in
            let keys = type.keys.map { "'\($0)'" }.joined(separator: ", ")
            let ways = others(type) + ["\(object) ?| ARRAY[\(keys)]"]
            return "WHEN \(ways.joined(separator: " OR ")) THEN '\(type.rawValue)'"
        }
        return "CASE \(cases.joined(separator: " ")) ELSE '\(SemanticType.internal.rawValue)' END"
    }
}
