// SPDX-License-Identifier: Apache-2.0
package import Copy

/// An index that a partition gets when it is closed, rather than while rows pour in: built late it
/// is half the size, and costs the writers nothing.
package struct LateIndex: Sendable, Equatable {
    package let column: String
    let method: String
    /// What follows `USING method (column`, up to the end of the statement.
    private let rest: String

    /// What follows `CREATE INDEX ... ON table`.
    var definition: String { "USING \(method) (\(column)\(rest)" }

    /// Ranges of time without reading everything; a few pages. Points are read by series: while
    /// rows pour in, no question is worth an index by time alone, as spans and log records have it.
    static func time(_ column: String) -> LateIndex {
        LateIndex(column: column, method: "brin", rest: ")")
    }

    /// Equality of any attribute (`attributes @> '{"key": "value"}'`). Rows that come after it was
    /// built are few, and put in at once: a list of pending ones would slow down every search, and
    /// stall whoever has to empty it.
    static let attributes = LateIndex(
        column: "attributes", method: "gin", rest: " jsonb_path_ops) WITH (fastupdate = off)")
}

extension FactTable {
    /// What a closed partition of this table has.
    package var lateIndex: LateIndex {
        switch self {
        case .spans, .logs: .attributes
        default: .time(timeColumn)
        }
    }
}
