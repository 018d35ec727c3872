// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Rows

/// What becomes of each attribute of one kind of row: a column, nothing, or else `attributes`.
///
/// Immutable, compiled once per configuration. Thread: any.
package final class AttributePlan: Sendable {
    /// What is known of one name.
    struct Entry: BitwiseCopyable, Sendable {
        /// No column for values of a type.
        static let none: Int16 = -1

        var isDropped = false
        /// Position in `columns` by type.
        var string = Entry.none
        var int = Entry.none
        var double = Entry.none
        var bool = Entry.none
        var bytes = Entry.none

        /// Position in `columns` of the column for such a value, or `none`.
        @inline(__always)
        func column(for kind: AnyValueKind) -> Int16 {
            switch kind {
            case .string: string
            case .int: int
            case .double: double
            case .bool: bool
            case .bytes: bytes
            case .array, .kvlist, .none: Entry.none
            }
        }

        fileprivate mutating func set(_ type: AttributeType, to column: Int16) {
            switch type {
            case .string: string = column
            case .int: int = column
            case .double: double = column
            case .bool: bool = column
            case .bytes: bytes = column
            }
        }
    }

    /// The most columns that one table gets for attributes: a table takes 1,600 in all, and never
    /// forgets one that it had.
    package static let columnCountMax = 500

    /// In the order in which they are written.
    package let columns: [PromotedColumn]
    /// What is not stored, for the attributes of parts of a row; nil where everything is.
    let drops: AttributeDrops?
    let entries: [Entry]
    let index: AttributeKeyIndex

    /// `drops` win over `columns`. Columns are different from one another.
    package init(columns: [PromotedColumn] = [], drops: some Collection<String> = []) {
        precondition(columns.count <= AttributePlan.columnCountMax)
        var entries: [String: Entry] = [:]
        for (position, column) in columns.enumerated() {
            entries[column.key, default: Entry()].set(column.type, to: Int16(position))
        }
        for key in drops { entries[key] = Entry(isDropped: true) }
        let keys = entries.keys.sorted()
        self.columns = columns
        self.drops = AttributeDrops(drops)
        self.entries = keys.compactMap { entries[$0] }
        index = AttributeKeyIndex(keys)
    }

    /// Whether every attribute goes into `attributes`.
    var isTrivial: Bool { entries.isEmpty }
}
