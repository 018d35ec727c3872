// SPDX-License-Identifier: Apache-2.0

/// What a span is about, told from the attributes that the semantic conventions give such spans.
enum SemanticType: String, CaseIterable {
    // In this order: an RPC over HTTP is an RPC.
    case genAI = "gen_ai"
    case faas, messaging, rpc, db, http
    /// None of these.
    case `internal`

    /// A span that has one of these is of the type.
    private var keys: [String] {
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

    /// SQL of the type of the span `fact`, as text. The keys are constants of this file.
    static func expression(_ catalogue: FieldCatalogue) -> String {
        let cases = allCases.filter { $0 != .internal }.map { type in
            let columns = type.keys.flatMap { catalogue.columns(of: $0, in: .span) }
            let keys = type.keys.map { "'\($0)'" }.joined(separator: ", ")
            let ways =
                columns.map { "fact.\($0.name) IS NOT NULL" }
                + ["fact.attributes ?| ARRAY[\(keys)]"]
            return "WHEN \(ways.joined(separator: " OR ")) THEN '\(type.rawValue)'"
        }
        return "CASE \(cases.joined(separator: " ")) ELSE '\(SemanticType.internal.rawValue)' END"
    }
}
