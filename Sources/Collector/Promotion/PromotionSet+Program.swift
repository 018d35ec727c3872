// SPDX-License-Identifier: Apache-2.0
package import Copy
internal import Postgres

extension PromotionSet {
    /// What the program itself promotes, as a database has it that was just migrated.
    package static func ofProgram() -> PromotionSet {
        let rules = AttributeRules.base
        let registered = rules.wantedColumns.map { wanted in
            RegisteredColumn(
                signal: wanted.signal,
                column: PromotedColumn(key: wanted.key, type: wanted.type, name: wanted.key),
                since: "", isUsable: true)
        }
        return PromotionSet(rules, registered: registered)
    }
}
