// SPDX-License-Identifier: Apache-2.0
internal import Postgres
internal import Rows

/// Turns what a person asks to promote into rules, or says why that cannot be.
struct PromotionResolver {
    /// The rules of the overrides file; those of the program stand beside them.
    let overrides: AttributeRules
    let samples: [(scope: AttributeScope, sample: AttributeSample)]
    /// Nil: where the key is seen.
    let scopes: [AttributeScope]?
    /// Of the overrides file.
    let path: String

    private typealias Promotion = AttributeRules.Promotion

    func resolve(
        _ request: DatabaseAttributes.Request
    ) throws(DaemonError) -> [(AttributeScope, AttributeRules.Promotion)] {
        let seen = samples.filter { _, sample in
            sample.members.contains { $0.key == request.key }
        }.map(\.scope)
        let places = scopes ?? (seen.isEmpty ? knownScopes(request) : seen)
        guard !places.isEmpty else {
            throw DaemonError(
                .failed,
                "\(request.key) is in none of the newest rows; name its type and signal, as in "
                    + "`starling attributes promote \(request.key):string --signal traces`")
        }
        var resolved: [(AttributeScope, Promotion)] = []
        for scope in places {
            let type = try type(request, in: scope)
            let promotion = Promotion(key: request.key, type: type)
            try check(promotion, in: scope)
            resolved.append((scope, promotion))
        }
        return resolved
    }

    /// Where the file has it already: new rows no longer show it, and asking again is no mistake.
    private func knownScopes(_ request: DatabaseAttributes.Request) -> [AttributeScope] {
        samples.map(\.scope).filter { scope in
            overrides.promotions[scope, default: []].contains { $0.key == request.key }
        }
    }

    private func type(
        _ request: DatabaseAttributes.Request, in scope: AttributeScope
    ) throws(DaemonError) -> AttributeType {
        if let type = request.type.flatMap(AttributeType.init(rawValue:)) { return type }
        let known = overrides.promotions[scope, default: []].filter { $0.key == request.key }
        if known.count == 1 { return known[0].type }
        if let base = AttributeRules.base.promotions[scope]?.first(where: { $0.key == request.key })
        {
            return base.type
        }
        let sample = samples.first { $0.scope == scope }?.sample
        let members = (sample?.members ?? []).filter { $0.key == request.key }
        let name = "\(request.key):TYPE"
        guard let most = members.max(by: { $0.rowCount < $1.rowCount }) else {
            throw DaemonError(
                .failed,
                "\(request.key) is in none of the newest rows of \(scope.rawValue); name its type, "
                    + "as in \(name)")
        }
        let total = members.reduce(0) { $0 + $1.rowCount }
        guard let type = most.type, members.count == 1 || most.rowCount * 10 >= total * 9 else {
            let kinds = members.map { "\($0.kind) in \($0.rowCount)" }.joined(separator: ", ")
            throw DaemonError(
                .failed,
                "the values of \(request.key) in \(scope.rawValue) are of no single type (\(kinds) "
                    + "rows of the sample); name the one to promote, as in \(name)")
        }
        return type
    }

    /// Errors: it is dropped, or promoted by the program, or for another type.
    private func check(
        _ promotion: AttributeRules.Promotion, in scope: AttributeScope
    ) throws(DaemonError) {
        let place = "\(promotion.key) of \(scope.rawValue)"
        guard overrides.drops[scope]?.contains(promotion.key) != true else {
            throw DaemonError(
                .failed,
                "\(place) is dropped by \(path), and what is dropped is not stored; remove it from "
                    + "drop.\(scope.rawValue) first")
        }
        let base = AttributeRules.base.promotions[scope, default: []]
            .filter { $0.key == promotion.key }
        guard !base.contains(promotion) else {
            throw DaemonError(
                .failed,
                "\(place) is promoted as \(promotion.type.rawValue) by the program itself; there "
                    + "is nothing to do")
        }
        let others = (base + overrides.promotions[scope, default: []])
            .filter { $0.key == promotion.key && $0 != promotion }
        let isThere = overrides.promotions[scope]?.contains(promotion) == true
        guard isThere || others.isEmpty else {
            let types = others.map(\.type.rawValue).joined(separator: " and ")
            throw DaemonError(
                .failed,
                "\(place) is promoted as \(types) already, and a value of another type stays in "
                    + "attributes; if values of both types are common, write it into "
                    + "promote.\(scope.rawValue).\(promotion.type.rawValue) of \(path) by hand")
        }
    }
}
