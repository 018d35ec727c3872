// SPDX-License-Identifier: Apache-2.0

/// The columns of the rows that one COPY statement takes, in the order in which they are encoded:
/// those that the table always has, then those of attributes.
package struct TableLayout: Sendable, Equatable {
    package let table: FactTable
    package let promoted: [PromotedColumn]
    /// `COPY otel_… (…) FROM STDIN (FORMAT binary)`.
    package let copyStatement: String

    package init(table: FactTable, promoted: [PromotedColumn] = []) {
        self.table = table
        self.promoted = promoted
        let names = table.columns + promoted.map(\.quotedName)
        copyStatement =
            "COPY \(table.name) (\(names.joined(separator: ", "))) FROM STDIN (FORMAT binary)"
    }

    /// Names of all columns.
    package var columns: [String] { table.columns + promoted.map(\.name) }
}
