// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Postgres
internal import Rows

/// What the verbs about attributes do with the configured database and its overrides file.
///
/// Thread: any. Blocks on the database. Errors: `databaseUnreachable`, `schemaNotCurrent`,
/// `failed`.
package struct DatabaseAttributes {
    /// What was found, and how much was looked at.
    package struct Survey<Item: Sendable>: Sendable {
        package let items: [Item]
        /// Rows that were read, by scope; of the other scopes, how many owners there are.
        package fileprivate(set) var rowCounts: [(scope: AttributeScope, count: Int64)]
    }

    private let configuration: Configuration
    private let database: MigratedDatabase

    /// Reading samples, and waiting for the moment in which no writer holds a fact table.
    private static let timeoutMs = 10 * 60_000

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        database = MigratedDatabase(settings: DatabaseSettings(configuration))
    }

    /// The attributes of `scopes`, each type of values for itself.
    package func list(
        _ scopes: [AttributeScope], sampleRowCountMax: Int
    ) throws(DaemonError) -> Survey<AttributeListing> {
        let rules = configuration.attributes.rules
        return try database.withConnection { connection throws(DatabaseError) in
            let deadlineNs = Deadline.inMs(DatabaseAttributes.timeoutMs)
            let columns = try PromotionColumns.registered(
                on: &connection, deadlineNs: deadlineNs)
            var items: [AttributeListing] = []
            var rowCounts: [(scope: AttributeScope, count: Int64)] = []
            for scope in scopes {
                if let signal = scope.promotedSignal {
                    let sample = try AttributeSample.take(
                        signal, columns: columns, rowCountMax: sampleRowCountMax, on: &connection,
                        deadlineNs: deadlineNs)
                    items += AttributeListing.ofRows(sample, scope: scope, rules: rules)
                    rowCounts.append((scope, sample.rowCount))
                } else if let owner = scope.dimension {
                    let (ownerCount, tallies) = try DimensionTally.load(
                        owner, on: &connection, deadlineNs: deadlineNs)
                    items += AttributeListing.ofDimension(
                        tallies, ownerCount: ownerCount, scope: scope, rules: rules)
                    rowCounts.append((scope, ownerCount))
                }
            }
            return Survey(items: items, rowCounts: rowCounts)
        }
    }

    /// What columns for attributes of `scopes` would save, the most first; scopes without columns
    /// are passed over.
    package func suggest(
        _ scopes: [AttributeScope], sampleRowCountMax: Int
    ) throws(DaemonError) -> Survey<PromotionEstimate> {
        let samples = try samples(scopes, rowCountMax: sampleRowCountMax)
        let estimates = samples.flatMap { scope, sample in
            PromotionEstimate.all(
                of: sample, scope: scope, rules: configuration.attributes.rules)
        }
        return Survey(
            items: estimates.sorted { $0.savingPerRow > $1.savingPerRow },
            rowCounts: samples.map { ($0.scope, $0.sample.rowCount) })
    }

    private func samples(
        _ scopes: [AttributeScope], rowCountMax: Int
    ) throws(DaemonError) -> [(scope: AttributeScope, sample: AttributeSample)] {
        try database.withConnection { connection throws(DatabaseError) in
            var samples: [(scope: AttributeScope, sample: AttributeSample)] = []
            for scope in scopes {
                guard let signal = scope.promotedSignal else { continue }
                let sample = try AttributeSample.take(
                    signal, columns: [], rowCountMax: rowCountMax, on: &connection,
                    deadlineNs: Deadline.inMs(DatabaseAttributes.timeoutMs))
                samples.append((scope, sample))
            }
            return samples
        }
    }
}

// Promoting.
extension DatabaseAttributes {
    /// What is asked for.
    package struct Request: Sendable, Equatable {
        package let key: String
        /// Nil: that of most values.
        package let type: String?

        package init(key: String, type: String?) {
            self.key = key
            self.type = type
        }
    }

    /// What became of it.
    package struct Promoted: Sendable, Equatable {
        package let scope: AttributeScope
        package let key: String
        package let type: String
        /// Whether the file named it before.
        package let wasInFile: Bool
        /// The column, where this made one.
        package fileprivate(set) var newColumn: String?
    }

    package struct Outcome: Sendable {
        package fileprivate(set) var promoted: [Promoted]
        /// Whether comments of the file were lost; its old text is beside it then.
        package fileprivate(set) var isRewritten = false
        package let path: String
    }

    /// Writes what is asked for into the overrides file, then adds the columns and makes the views
    /// current. Nothing is done before everything is known to be possible.
    ///
    /// Nil `scopes`: those of spans and logs where the key is seen. May be repeated.
    package func promote(
        _ requests: [Request], scopes: [AttributeScope]?, sampleRowCountMax: Int, isDryRun: Bool
    ) throws -> Outcome {
        let file = try OverridesFile(configuration)
        let places = scopes ?? [.spans, .logs]
        let needsSample = scopes == nil || requests.contains { $0.type == nil }
        let samples = try samples(
            places, rowCountMax: needsSample ? sampleRowCountMax : 0)
        let resolver = PromotionResolver(
            overrides: file.rules, samples: samples, scopes: scopes, path: file.path)
        let chosen = try requests.flatMap { request throws(DaemonError) in
            try resolver.resolve(request)
        }

        var editor = OverridesEditor(text: file.text, rules: file.rules)
        for (scope, promotion) in chosen { editor.promote(promotion, in: scope) }
        let edited = AttributeRulesFile(overridesYAML: editor.text, path: file.path)
        guard edited.problems.isEmpty else { throw ConfigurationError(problems: edited.problems) }
        var outcome = Outcome(
            promoted: chosen.map { scope, promotion in
                let wasThere = file.rules.promotions[scope]?.contains(promotion) == true
                return Promoted(
                    scope: scope, key: promotion.key, type: promotion.type.rawValue,
                    wasInFile: wasThere)
            }, isRewritten: editor.isRewritten, path: file.path)
        guard !isDryRun else { return outcome }
        if editor.text != file.text {
            try file.replace(with: editor.text, keepsOld: editor.isRewritten)
        }
        let added = try addColumns(AttributeRules.base.merging(edited.rules))
        for index in outcome.promoted.indices {
            let promoted = outcome.promoted[index]
            outcome.promoted[index].newColumn =
                added.first {
                    $0.signal == promoted.scope.promotedSignal && $0.column.key == promoted.key
                        && $0.column.type.rawValue == promoted.type
                }?.column.name
        }
        return outcome
    }

    private func addColumns(
        _ rules: AttributeRules
    ) throws(DaemonError) -> [RegisteredColumn] {
        try database.withConnection { connection throws(DatabaseError) in
            let deadlineNs = Deadline.inMs(DatabaseAttributes.timeoutMs)
            let added = try PromotionColumns.ensure(
                rules.wantedColumns, on: &connection, deadlineNs: deadlineNs)
            try ViewMaker.refresh(on: &connection, deadlineNs: deadlineNs)
            return added
        }
    }
}

extension AttributeScope {
    /// Nil where the attributes are on the rows.
    var dimension: AttributeDimension? {
        switch self {
        case .resource: .resource
        case .scope: .scope
        case .metrics: .metrics
        case .spans, .logs: nil
        }
    }
}
