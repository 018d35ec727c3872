// SPDX-License-Identifier: Apache-2.0

/// What series are grouped by.
struct MetricLabel: Sendable, Equatable {
    /// As it was written, and as answers have it.
    let name: String
    private let place: Place

    private enum Place: Equatable {
        /// A column of a dimension.
        case column(String)
        /// An attribute: the beginning of the names of its tables, the id of its owner, its key.
        case attribute(tables: String, id: String, key: String)
    }

    private static let keySizeBytesMax = 512

    /// Nil where `name` names none.
    init?(_ name: String) {
        self.name = name
        switch name {
        case "service": place = .column("resource.service_name")
        case "service_namespace": place = .column("resource.service_namespace")
        case "scope_name": place = .column("scope.name")
        default:
            let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, (1...MetricLabel.keySizeBytesMax).contains(parts[1].utf8.count),
                !parts[1].utf8.contains(0), let owner = MetricLabel.owners[String(parts[0])]
            else { return nil }
            place = .attribute(tables: owner.tables, id: owner.id, key: String(parts[1]))
        }
    }

    /// Tables and ids of the scopes of attributes.
    static let owners: [String: (tables: String, id: String)] = [
        "datapoint": ("otel_metric_series_attrs", "series_id"),
        "resource": ("otel_resource_attrs", "resource_id"),
        "scope": ("otel_scope_attrs", "scope_id"),
    ]

    /// Values as text, by type of attribute.
    static let typedTexts = [
        ("string", "value"), ("int", "value::text"), ("double", "otel_double_text(value)"),
        ("bool", "value::text"),
    ]

    /// Its value as text, in the terms of `FilterCompiler.source`; NULL where there is none.
    func expression(in statement: inout SQLStatement) -> String {
        switch place {
        case .column(let column): return column
        case .attribute(let tables, let id, let key):
            let key = statement.bind(key)
            let branches = MetricLabel.typedTexts.map { type, text in
                "SELECT \(text) AS value FROM \(tables)_\(type) AS typed WHERE typed.\(id) = "
                    + "series.\(id) AND typed.key_id = (SELECT key_id FROM attribute_keys WHERE "
                    + "key = \(key))"
            }
            return "(SELECT value FROM (\(branches.joined(separator: " UNION ALL "))) AS one"
                + " LIMIT 1)"
        }
    }
}
