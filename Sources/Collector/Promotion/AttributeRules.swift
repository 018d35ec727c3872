// SPDX-License-Identifier: Apache-2.0
internal import Copy
internal import Postgres
internal import Rows

/// Which attributes get a place of their own, and which are not stored.
package struct AttributeRules: Sendable, Equatable {
    /// A name and the type of values that are promoted.
    struct Promotion: Sendable, Hashable {
        let key: String
        let type: AttributeType
    }

    /// In the order of the files, each once.
    private(set) var promotions: [AttributeScope: [Promotion]] = [:]
    private(set) var drops: [AttributeScope: Set<String>] = [:]

    init() {}

    /// The rules that the program brings, `config/attribute-promotion.yaml`.
    static let base: AttributeRules = {
        let file = AttributeRulesFile(baseYAML: baseAttributeRulesYAML)
        precondition(file.problems.isEmpty, "\(file.problems)")
        return file.rules
    }()

    mutating func promote(_ promotion: Promotion, in scope: AttributeScope) {
        if promotions[scope]?.contains(promotion) == true { return }
        promotions[scope, default: []].append(promotion)
    }

    mutating func drop(_ key: String, in scope: AttributeScope) {
        drops[scope, default: []].insert(key)
    }

    /// These rules and those of an administrator: nothing that is promoted here is taken back, and
    /// what either drops is dropped.
    func merging(_ overrides: AttributeRules) -> AttributeRules {
        var merged = self
        for (scope, promotions) in overrides.promotions {
            for promotion in promotions { merged.promote(promotion, in: scope) }
        }
        for (scope, keys) in overrides.drops { merged.drops[scope, default: []].formUnion(keys) }
        return merged
    }

    /// What is promoted in `scope` and not dropped.
    func effectivePromotions(in scope: AttributeScope) -> [Promotion] {
        let dropped = drops[scope, default: []]
        return promotions[scope, default: []].filter { !dropped.contains($0.key) }
    }

    /// The columns that the database should have.
    var wantedColumns: [WantedColumn] {
        AttributeScope.allCases.flatMap { scope -> [WantedColumn] in
            guard let signal = scope.promotedSignal else { return [] }
            return effectivePromotions(in: scope).map {
                WantedColumn(signal: signal, key: $0.key, type: $0.type)
            }
        }
    }

    /// One line for people.
    var summary: String {
        let dropCount = drops.values.reduce(0) { $0 + $1.count }
        return "\(wantedColumns.count) columns, \(dropCount) names dropped"
    }
}

extension PromotionSet {
    /// What `rules` want, as far as the database has the columns.
    init(_ rules: AttributeRules, registered: [RegisteredColumn]) {
        func plan(_ scope: AttributeScope) -> AttributePlan {
            let wanted = Set(rules.effectivePromotions(in: scope))
            let columns = registered.filter { entry in
                let promotion = AttributeRules.Promotion(
                    key: entry.column.key, type: entry.column.type)
                return entry.isUsable && entry.signal == scope.promotedSignal
                    && wanted.contains(promotion)
            }
            return AttributePlan(
                columns: columns.prefix(AttributePlan.columnCountMax).map(\.column),
                drops: rules.drops[scope, default: []])
        }
        func drops(_ scope: AttributeScope) -> AttributeDrops? {
            AttributeDrops(rules.drops[scope, default: []])
        }
        self.init(
            spans: plan(.spans), logs: plan(.logs),
            drops: DimensionDrops(
                resource: drops(.resource), scope: drops(.scope), series: drops(.metrics)))
    }
}
