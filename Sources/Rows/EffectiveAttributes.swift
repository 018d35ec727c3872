// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Decode

/// The attributes of one owner as they count: sorted by the bytes of their keys, each key once, and
/// the last one of those that were sent with the same key.
///
/// Ownership: borrows from the arena of the export. Allocates: for new dimensions only.
package struct EffectiveAttributes {
    package let members: [KeyValueView]

    /// `drops` are left out.
    package init(_ attributes: some Collection<KeyValueView>, without drops: AttributeDrops? = nil)
    {
        let kept = attributes.indices.filter { index in
            drops.map { !$0.contains(attributes[index].key) } ?? true
        }
        let order = kept.sorted { left, right in
            let leftKey = attributes[left].key
            let rightKey = attributes[right].key
            if leftKey.hasSameBytes(as: rightKey) { return left < right }
            return leftKey.precedes(rightKey)
        }
        var members: [KeyValueView] = []
        members.reserveCapacity(order.count)
        for index in order {
            let member = attributes[index]
            if let last = members.last, last.key.hasSameBytes(as: member.key) {
                members.removeLast()
            }
            members.append(member)
        }
        self.members = members
    }

    /// Those that go into the one jsonb object of the `_other` table, in order.
    package var others: [KeyValueView] { members.filter { AttributeTable(of: $0) == .other } }
}

/// The typed attribute table (`otel_resource_attrs_string` and so on) that takes an attribute.
package enum AttributeTable: CaseIterable, Sendable {
    case string, int, double, bool, bytes, other

    /// Longest key that the registry of keys takes (`attribute_keys.key`).
    package static let keySizeBytesMax = 512

    package init(of attribute: KeyValueView) {
        guard attribute.key.count <= AttributeTable.keySizeBytesMax, let value = attribute.value
        else {
            self = .other
            return
        }
        switch value.kind {
        case .string: self = .string
        case .int: self = .int
        case .double: self = .double
        case .bool: self = .bool
        case .bytes: self = .bytes
        case .array, .kvlist, .none: self = .other
        }
    }

    /// End of the table's name after the prefix of its owner.
    package var suffix: String {
        switch self {
        case .string: "string"
        case .int: "int"
        case .double: "double"
        case .bool: "bool"
        case .bytes: "bytes"
        case .other: "other"
        }
    }
}
