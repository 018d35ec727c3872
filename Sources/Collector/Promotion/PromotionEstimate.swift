// SPDX-License-Identifier: Apache-2.0
internal import Copy
internal import Postgres
internal import Rows

/// What a column for one attribute would change, as a sample of rows shows it.
package struct PromotionEstimate: Sendable, Equatable {
    package let scope: AttributeScope
    package let key: String
    /// The type of most of its values.
    package let type: String
    /// Of all rows, how many have the attribute; 0 to 1.
    package let rowShare: Double
    /// Of those, how many have a value of `type`; 0 to 1.
    package let typeShare: Double
    /// Bytes in `attributes`, as a mean over all rows.
    package let bytesPerRow: Double
    /// Bytes by which a row gets smaller, as a mean over all rows; below 0 where it gets larger.
    package let savingPerRow: Double
    /// Different values in the whole table.
    package let distinctEstimate: Int64

    /// Every row has a bit per column that says whether it is NULL.
    static let nullBitSizeBytes = 0.125

    /// Of one key; nil where most of its values are of a kind that no column takes.
    ///
    /// `members` are of this key, at least one; `sample` is where they come from.
    init?(_ members: [AttributeSample.Member], in sample: AttributeSample, scope: AttributeScope) {
        guard let chosen = members.max(by: { $0.rowCount < $1.rowCount }), let type = chosen.type,
            sample.rowCount > 0
        else { return nil }
        let rowCount = Double(sample.rowCount)
        let keyRowCount = Double(members.reduce(0) { $0 + $1.rowCount })
        self.scope = scope
        key = chosen.key
        self.type = type.rawValue
        rowShare = keyRowCount / rowCount
        typeShare = Double(chosen.rowCount) / keyRowCount
        bytesPerRow = Double(members.reduce(0) { $0 + $1.sizeBytes }) / rowCount
        savingPerRow =
            Double(chosen.sizeBytes - chosen.columnSizeBytes) / rowCount
            - PromotionEstimate.nullBitSizeBytes
        distinctEstimate = PromotionEstimate.distinctCount(
            seenCount: chosen.rowCount, distinctCount: chosen.distinctCount,
            singleCount: chosen.singleCount,
            totalCount: sample.tableRowCountEstimate * Double(chosen.rowCount) / rowCount)
    }

    /// How many different values `totalCount` rows have, of which `seenCount` with `distinctCount`
    /// values were seen, `singleCount` of those once: the estimator of Haas and Stokes that ANALYZE
    /// uses too.
    static func distinctCount(
        seenCount: Int64, distinctCount: Int64, singleCount: Int64, totalCount: Double
    ) -> Int64 {
        let (n, d, f1) = (Double(seenCount), Double(distinctCount), Double(singleCount))
        guard n > 0, totalCount > n else { return distinctCount }
        let estimate = n * d / (n - f1 + f1 * n / totalCount)
        return Int64(min(max(estimate, d), totalCount).rounded())
    }

    /// Of every key of `sample` that could have a column and has none, the largest saving first.
    ///
    /// Without those that are promoted, if for another type, and those that are not to be stored.
    static func all(
        of sample: AttributeSample, scope: AttributeScope, rules: AttributeRules
    ) -> [PromotionEstimate] {
        let known = Set(rules.promotions[scope, default: []].map(\.key))
            .union(rules.drops[scope, default: []])
        let members = Dictionary(grouping: sample.members) { $0.key }
        let estimates = members.compactMap { key, members -> PromotionEstimate? in
            guard !known.contains(key), isPossible(key) else { return nil }
            return PromotionEstimate(members, in: sample, scope: scope)
        }
        return estimates.sorted {
            ($1.savingPerRow, $0.key) < ($0.savingPerRow, $1.key)
        }
    }

    /// Whether a list of rules can have the name.
    static func isPossible(_ key: String) -> Bool {
        (1...AttributeTable.keySizeBytesMax).contains(key.utf8.count)
    }
}
