// SPDX-License-Identifier: Apache-2.0
package import Decode

/// The kinds of attribute values that a column of PostgreSQL has a type for.
package enum AttributeType: String, CaseIterable, Sendable {
    case string, int, double, bool, bytes

    /// Nil for what only jsonb can hold: arrays, lists of pairs, empty values.
    @inline(__always)
    package init?(of kind: AnyValueKind) {
        switch kind {
        case .string: self = .string
        case .int: self = .int
        case .double: self = .double
        case .bool: self = .bool
        case .bytes: self = .bytes
        case .array, .kvlist, .none: return nil
        }
    }
}
