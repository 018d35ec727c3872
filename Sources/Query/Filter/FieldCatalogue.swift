// SPDX-License-Identifier: Apache-2.0
package import Postgres
package import Rows

/// Which attributes have columns on the facts. A value may stand in the column, or, where it is of
/// another type or older than the column, in `attributes`.
package struct FieldCatalogue: Sendable {
    package struct Column: Sendable, Equatable {
        package let type: AttributeType
        /// Quoted.
        package let name: String
    }

    private var spans: [String: [Column]] = [:]
    private var logs: [String: [Column]] = [:]

    package init(_ promoted: [PromotedAttribute]) {
        for attribute in promoted {
            let column = Column(
                type: attribute.type, name: SQLText.identifier(attribute.columnName))
            switch attribute.signal {
            case .spans: spans[attribute.key, default: []].append(column)
            case .logs: logs[attribute.key, default: []].append(column)
            }
        }
    }

    /// Every attribute of spans that has a column, by its key.
    var spanColumns: [(key: String, column: Column)] { FieldCatalogue.sorted(spans) }

    /// Likewise of log records.
    var logColumns: [(key: String, column: Column)] { FieldCatalogue.sorted(logs) }

    private static func sorted(
        _ columns: [String: [Column]]
    ) -> [(key: String, column: Column)] {
        columns.sorted { $0.key < $1.key }
            .flatMap { key, columns in columns.map { (key: key, column: $0) } }
    }

    /// The columns of the attribute `key` of spans or log records; none for others.
    package func columns(of key: String, in scope: AttributeScope) -> [Column] {
        switch scope {
        case .span: spans[key] ?? []
        case .log: logs[key] ?? []
        case .resource, .scope, .event, .link, .datapoint: []
        }
    }
}
