// SPDX-License-Identifier: Apache-2.0
package import Copy
package import Rows

/// An attribute that is to have a column for its values of one type.
package struct WantedColumn: Sendable, Hashable {
    package let signal: PromotedSignal
    package let key: String
    package let type: AttributeType

    package init(signal: PromotedSignal, key: String, type: AttributeType) {
        self.signal = signal
        self.key = key
        self.type = type
    }
}

/// A row of `otel_attribute_columns`.
package struct RegisteredColumn: Sendable, Hashable {
    package let signal: PromotedSignal
    package let column: PromotedColumn
    /// When it was added, in UTC: `2026-11-21T02:13:00Z`.
    package let since: String
    /// Whether the fact table has the column, and with the type that the registry says. Only then
    /// may anything be written to it.
    package let isUsable: Bool

    package init(signal: PromotedSignal, column: PromotedColumn, since: String, isUsable: Bool) {
        self.signal = signal
        self.column = column
        self.since = since
        self.isUsable = isUsable
    }

    package var wanted: WantedColumn {
        WantedColumn(signal: signal, key: column.key, type: column.type)
    }
}

extension AttributeType {
    /// The order in which new columns are added: those that are aligned to 8 bytes next to one
    /// another, so that they pay for it once.
    var alignmentOrder: Int {
        switch self {
        case .int: 0
        case .double: 1
        case .bool: 2
        case .string: 3
        case .bytes: 4
        }
    }
}
