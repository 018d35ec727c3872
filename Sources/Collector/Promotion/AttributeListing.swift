// SPDX-License-Identifier: Apache-2.0
internal import Copy
internal import Postgres
internal import Rows

/// An attribute with values of one type, and where it is stored.
package struct AttributeListing: Sendable, Equatable {
    /// What becomes of new values.
    package enum State: String, Sendable {
        /// They go into a column, or have a typed table where the scope has those, and the rules
        /// name them.
        case promoted
        /// The rules want a column that is not there yet.
        case pending
        /// There is a column that the rules no longer want.
        case unused
        /// They are not stored.
        case dropped
        /// The key is promoted, but for another type.
        case otherType = "other type"
        case unpromoted
    }

    package let scope: AttributeScope
    package let key: String
    /// As `otel_value_kind` calls it.
    package let type: String
    package let state: State
    /// Of all rows of the sample (of all resources, scopes or series), how many have it; 0 to 1.
    package let rowShare: Double
    /// Of all bytes that attributes take there, how many are its.
    package let byteShare: Double

    /// Attributes of rows: those in columns and those in jsonb.
    static func ofRows(
        _ sample: AttributeSample, scope: AttributeScope, rules: AttributeRules
    ) -> [AttributeListing] {
        var tallies: [Name: (rowCount: Int64, sizeBytes: Int64)] = [:]
        for member in sample.members {
            tallies[Name(member.key, member.kind), default: (0, 0)].rowCount += member.rowCount
            tallies[Name(member.key, member.kind), default: (0, 0)].sizeBytes += member.sizeBytes
        }
        var columns: Set<Name> = []
        for column in sample.columns {
            let name = Name(column.column.column.key, column.column.column.type.rawValue)
            columns.insert(name)
            tallies[name, default: (0, 0)].rowCount += column.rowCount
            tallies[name, default: (0, 0)].sizeBytes += column.sizeBytes
        }
        return listings(tallies, ownerCount: sample.rowCount, scope: scope, rules: rules) {
            columns.contains($0)
        }
    }

    /// Attributes that have typed tables.
    static func ofDimension(
        _ tallies: [DimensionTally], ownerCount: Int64, scope: AttributeScope,
        rules: AttributeRules
    ) -> [AttributeListing] {
        let byName = tallies.map { (Name($0.key, $0.kind), ($0.count, $0.sizeBytes)) }
        return listings(
            Dictionary(byName) { ($0.0 + $1.0, $0.1 + $1.1) }, ownerCount: ownerCount,
            scope: scope, rules: rules, hasColumn: { $0.kind != "other" })
    }

    private struct Name: Hashable {
        let key: String
        let kind: String

        init(_ key: String, _ kind: String) {
            self.key = key
            self.kind = kind
        }
    }

    private static func listings(
        _ tallies: [Name: (rowCount: Int64, sizeBytes: Int64)], ownerCount: Int64,
        scope: AttributeScope, rules: AttributeRules, hasColumn: (Name) -> Bool
    ) -> [AttributeListing] {
        let wanted = Set(
            rules.effectivePromotions(in: scope).map { Name($0.key, $0.type.rawValue) })
        let wantedKeys = Set(wanted.map(\.key))
        let dropped = rules.drops[scope, default: []]
        let hasColumns = scope.promotedSignal != nil
        func state(_ name: Name) -> State {
            if dropped.contains(name.key) { return .dropped }
            if wanted.contains(name) { return hasColumn(name) ? .promoted : .pending }
            if wantedKeys.contains(name.key) { return .otherType }
            return hasColumns && hasColumn(name) ? .unused : .unpromoted
        }
        let sizeBytes = Double(tallies.values.reduce(0) { $0 + $1.sizeBytes })
        let unseen = wanted.filter { tallies[$0] == nil && hasColumns }
        let names =
            Array(tallies.keys) + unseen
            + dropped.filter { key in !tallies.keys.contains { $0.key == key } }
            .map { Name($0, "any") }
        return names.map { name in
            let tally = tallies[name, default: (0, 0)]
            return AttributeListing(
                scope: scope, key: name.key, type: name.kind, state: state(name),
                rowShare: ownerCount > 0 ? Double(tally.rowCount) / Double(ownerCount) : 0,
                byteShare: sizeBytes > 0 ? Double(tally.sizeBytes) / sizeBytes : 0)
        }.sorted { ($0.key, $0.type) < ($1.key, $1.type) }
    }
}
