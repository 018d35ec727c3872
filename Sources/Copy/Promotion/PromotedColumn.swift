// SPDX-License-Identifier: Apache-2.0
package import Rows

/// A column of a fact table that holds the values of one attribute, as far as they are of one type.
package struct PromotedColumn: Sendable, Hashable {
    /// The attribute's name as senders write it.
    package let key: String
    package let type: AttributeType
    /// The column's name, without quotes.
    package let name: String

    package init(key: String, type: AttributeType, name: String) {
        self.key = key
        self.type = type
        self.name = name
    }

    /// The name as SQL, whatever it is: some are reserved words.
    package var quotedName: String {
        let parts = name.split(separator: "\"", omittingEmptySubsequences: false)
        return "\"" + parts.joined(separator: "\"\"") + "\""
    }
}
