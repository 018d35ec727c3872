// SPDX-License-Identifier: Apache-2.0
internal import Rows

/// `otel_span_attrs_*`, `otel_log_attrs_*`, `otel_span_event_attrs_*`, `otel_span_link_attrs_*`.
///
/// A typed view shows the promoted attributes of its type, wherever they stand: in their column, or
/// in the jsonb of rows that were written before they were promoted. The `_other` view shows what
/// is left. So every attribute is in exactly one of the six.
///
/// They are shaped like VALUES lists over one scan of the facts. A UNION of one scan per attribute
/// would let an index on a column be used, yet plan attributes × partitions scans for each query.
struct AttributeViews {
    private let owner: AttributeOwner
    private let promoted: [PromotedAttribute]

    static func all(promoted: [PromotedAttribute]) -> [ViewDefinition] {
        AttributeOwner.all.flatMap { owner in
            let views = AttributeViews(owner: owner, promoted: promoted)
            return AttributeType.allCases.map { views.typed($0) } + [views.other()]
        }
    }

    private init(owner: AttributeOwner, promoted: [PromotedAttribute]) {
        self.owner = owner
        self.promoted = promoted.filter { $0.signal == owner.signal }
    }

    /// What a query of the view costs.
    private var cost: String {
        let reads = "it reads whole partitions, those of the times asked for"
        return owner.signal == .spans
            ? "Found by index with a trace_id only; else \(reads)" : "No index serves it: \(reads)"
    }

    private func typed(_ type: AttributeType) -> ViewDefinition {
        let rows = promoted.filter { $0.type == type }.map { attribute in
            "    (\(SQLText.literal(attribute.key)), \(value(of: attribute)))"
        }
        let list =
            rows.isEmpty
            ? "SELECT NULL::text, NULL::\(type.sqlType) WHERE false"
            : "VALUES\n" + rows.joined(separator: ",\n")
        return .view(
            "\(owner.prefix)_\(type.rawValue)",
            "Promoted attributes of type \(type.rawValue), one row per \(owner.noun) and attribute."
                + " \(cost)",
            [
                owner.id, ViewColumn("key_id", "known.key_id"), ViewColumn("value", "entry.value"),
                ViewColumn("key", "entry.key", "The attribute_keys row that key_id names, as text"),
            ] + owner.context,
            from: """
                \(owner.source)
                CROSS JOIN LATERAL (\(list)) AS entry (key, value)
                LEFT JOIN attribute_keys AS known ON known.key = entry.key
                WHERE entry.value IS NOT NULL
                """)
    }

    /// The value of one owner, NULL where it has none of this type.
    private func value(of attribute: PromotedAttribute) -> String {
        let form = "\(owner.attributes) -> \(SQLText.literal(attribute.key))"
        let fromForm = attribute.type.value(ofJSON: form)
        guard owner.hasColumns else { return fromForm }
        return "COALESCE(fact.\(SQLText.identifier(attribute.columnName)), \(fromForm))"
    }

    private func other() -> ViewDefinition {
        .view(
            "\(owner.prefix)_other",
            "The attributes of a \(owner.noun) that the typed views do not show, as one object;"
                + " no row where there are none. \(cost)",
            [owner.id, ViewColumn("attributes", "rest.attributes")] + owner.context,
            from: """
                \(owner.source)
                CROSS JOIN LATERAL (SELECT \(rest)) AS rest (attributes)
                WHERE rest.attributes IS NOT NULL
                """)
    }

    /// The object without what the typed views show. The kind of a value is looked at only where
    /// its key is promoted, and OFFSET keeps the planner from working the object out twice.
    private var rest: String {
        guard !promoted.isEmpty else { return owner.attributes }
        let types = Dictionary(grouping: promoted, by: \.key).sorted { $0.key < $1.key }
        let keys = types.map { SQLText.literal($0.key) }
        let cases = types.map { key, attributes in
            let kinds = attributes.map { "'\($0.type.rawValue)'" }.joined(separator: ", ")
            return "WHEN \(SQLText.literal(key)) THEN otel_value_kind(member.value) IN (\(kinds))"
        }
        return """
            CASE WHEN \(owner.attributes) ?| ARRAY[\(keys.joined(separator: ", "))]
            THEN (SELECT jsonb_object_agg(member.key, member.value)
                FROM jsonb_each(\(owner.attributes)) AS member
                WHERE NOT CASE member.key
                    \(cases.joined(separator: "\n        ")) ELSE false END)
            ELSE \(owner.attributes) END OFFSET 0
            """
    }
}

/// SQL for the attributes of a row as one jsonb object, for the enriched views and for readers.
package enum MergedAttributes {
    /// Pairs per call: a function takes at most 100 arguments.
    private static let pairCountMax = 48

    /// What stands in the columns of `fact`, and what stands in its jsonb. `{}` where nothing does.
    static func ofFact(
        _ signal: PromotedAttribute.Signal, promoted: [PromotedAttribute]
    ) -> String {
        // A key may be promoted for several types, of which a row has one at most; as a pair each,
        // the NULL of the last would hide the value of another.
        let columns = Dictionary(grouping: promoted.filter { $0.signal == signal }, by: \.key)
        let pairs = columns.sorted { $0.key < $1.key }.map { key, attributes in
            let forms = attributes.map { $0.type.json("fact.\(SQLText.identifier($0.columnName))") }
            let form = forms.count == 1 ? forms[0] : "COALESCE(\(forms.joined(separator: ", ")))"
            return "\(SQLText.literal(key)), \(form)"
        }
        var parts = ["COALESCE(fact.attributes, '{}')"]
        for start in stride(from: 0, to: pairs.count, by: pairCountMax) {
            let chunk = pairs[start..<min(start + pairCountMax, pairs.count)]
            let list = chunk.joined(separator: ",\n        ")
            parts.append("jsonb_strip_nulls(jsonb_build_object(\n        \(list)))")
        }
        return parts.joined(separator: "\n        || ")
    }

    /// What stands in the typed tables of a dimension. `{}` where nothing does.
    ///
    /// `prefix` begins the names of the tables, `idColumn` names their owner, `id` says which.
    static func ofDimension(prefix: String, idColumn: String, id: String) -> String {
        let branches = AttributeType.allCases.map { type in
            "SELECT key_id, \(type.json("value")) FROM \(prefix)_\(type.rawValue)"
                + " AS typed WHERE typed.\(idColumn) = \(id)"
        }
        return """
            COALESCE((SELECT jsonb_object_agg(known.key, entry.form) FROM (
                    \(branches.joined(separator: "\n            UNION ALL "))
                ) AS entry (key_id, form) JOIN attribute_keys AS known USING (key_id)), '{}')
                || COALESCE((SELECT other.attributes FROM \(prefix)_other AS other
                    WHERE other.\(idColumn) = \(id)), '{}')
            """
    }

    /// Of the resource that the SQL expression `id` names.
    package static func ofResource(id: String) -> String {
        ofDimension(prefix: "otel_resource_attrs", idColumn: "resource_id", id: id)
    }

    /// Of the scope that the SQL expression `id` names.
    package static func ofScope(id: String) -> String {
        ofDimension(prefix: "otel_scope_attrs", idColumn: "scope_id", id: id)
    }

    /// Of the metric series that the SQL expression `id` names.
    package static func ofSeries(id: String) -> String {
        ofDimension(prefix: "otel_metric_series_attrs", idColumn: "series_id", id: id)
    }
}
