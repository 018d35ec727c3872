// SPDX-License-Identifier: Apache-2.0
internal import Rows

/// Turns filters into conditions of SQL, which hold values as parameters only.
///
/// The conditions are in terms of `source`. What no column of the joined dimensions is asked for of
/// is not joined: PostgreSQL leaves such joins out.
package struct FilterCompiler: Sendable {
    private let subject: FilterSubject
    private let catalogue: FieldCatalogue

    package init(_ subject: FilterSubject, _ catalogue: FieldCatalogue) {
        self.subject = subject
        self.catalogue = catalogue
    }

    /// Goes after FROM. Spans, log records and points are called `fact` in it, series `series`.
    package var source: String { source(of: nil) }

    /// The same, of one partition of the facts.
    func source(of partition: String?) -> String {
        if subject == .series, let partition { return FilterCompiler.points(of: partition) }
        return switch subject {
        case .spans:
            """
            \(partition ?? "otel_spans_fact") AS fact
            LEFT JOIN otel_operations_dim AS operation USING (operation_id)
            LEFT JOIN otel_resources_dim AS resource USING (resource_id)
            LEFT JOIN otel_scopes_dim AS scope USING (scope_id)
            """
        case .logs:
            """
            \(partition ?? "otel_logs_fact") AS fact
            LEFT JOIN otel_resources_dim AS resource USING (resource_id)
            LEFT JOIN otel_scopes_dim AS scope USING (scope_id)
            """
        case .series:
            """
            otel_metric_series_dim AS series
            JOIN otel_metrics_dim AS metric USING (metric_id)
            JOIN otel_resources_dim AS resource USING (resource_id)
            LEFT JOIN otel_scopes_dim AS scope USING (scope_id)
            """
        }
    }

    /// Outer joins, so that those are left out of which nothing is asked for.
    private static func points(of partition: String) -> String {
        """
        \(partition) AS fact
        LEFT JOIN otel_metric_series_dim AS series USING (series_id)
        LEFT JOIN otel_metrics_dim AS metric USING (metric_id)
        LEFT JOIN otel_resources_dim AS resource USING (resource_id)
        LEFT JOIN otel_scopes_dim AS scope USING (scope_id)
        """
    }

    /// The condition that is true of exactly the items of which `filter` is.
    package func condition(_ filter: Filter, in statement: inout SQLStatement) -> String {
        switch filter {
        case .all(let filters): joined(filters, "AND", empty: "true", in: &statement)
        case .any(let filters): joined(filters, "OR", empty: "false", in: &statement)
        case .not(let inner): "(\(condition(inner, in: &statement))) IS NOT TRUE"
        case .condition(let field, .noneOf(let values)):
            "(\(single(field, .exists, in: &statement))"
                + " AND (\(single(field, .oneOf(values), in: &statement))) IS NOT TRUE)"
        case .condition(let field, let test): single(field, test, in: &statement)
        }
    }

    private func joined(
        _ filters: [Filter], _ word: String, empty: String, in statement: inout SQLStatement
    ) -> String {
        guard !filters.isEmpty else { return empty }
        var conditions: [String] = []
        for filter in filters { conditions.append(condition(filter, in: &statement)) }
        return conditions.count == 1
            ? conditions[0] : "(" + conditions.joined(separator: " \(word) ") + ")"
    }

    private func single(
        _ field: FilterField, _ test: FilterTest, in statement: inout SQLStatement
    ) -> String {
        switch field {
        case .intrinsic(let field): intrinsic(field, test, in: &statement)
        case .attribute(let scope, let key): attribute(key, of: scope, test, in: &statement)
        }
    }

    // MARK: Attributes

    private func attribute(
        _ key: String, of scope: AttributeScope, _ test: FilterTest,
        in statement: inout SQLStatement
    ) -> String {
        let row = subject == .series ? "series" : "fact"
        switch scope {
        case .resource:
            return dimension("otel_resource_attrs", "resource_id", of: row, key, test, &statement)
        case .scope:
            return dimension("otel_scope_attrs", "scope_id", of: row, key, test, &statement)
        case .datapoint:
            return dimension(
                "otel_metric_series_attrs", "series_id", of: row, key, test, &statement)
        case .event, .link:
            let member = member(key, of: "(element.form -> 'attributes')", test, in: &statement)
            return element(of: scope == .event ? "events" : "links", where: member)
        case .span, .log:
            let value = ValueTest(test)
            var ways = catalogue.columns(of: key, in: scope).compactMap { column in
                value.sql(of: "fact.\(column.name)", column.type, in: &statement)
            }
            ways.append(member(key, of: "fact.attributes", test, in: &statement))
            return "(" + ways.joined(separator: " OR ") + ")"
        }
    }

    /// An element of the array `column` of the span of which `condition` is true.
    private func element(of column: String, where condition: String) -> String {
        "EXISTS (SELECT FROM jsonb_array_elements(fact.\(column)) AS element (form)"
            + " WHERE \(condition))"
    }

    /// The member `key` of a jsonb object. Equality is asked of the whole object, for which closed
    /// partitions have an index.
    private func member(
        _ key: String, of object: String, _ test: FilterTest, in statement: inout SQLStatement
    ) -> String {
        let value = ValueTest(test)
        switch test {
        case .exists: return "\(object) ? \(statement.bind(key))"
        case .oneOf:
            return "\(object) @> ANY (\(statement.bind(value.forms(of: key)))::jsonb[])"
        default:
            let form = "\(object) -> \(statement.bind(key))"
            let ways = value.types.compactMap { type in
                value.sql(of: "otel_value_\(type.rawValue)(\(form))", type, in: &statement)
            }
            return ways.isEmpty ? "false" : "(" + ways.joined(separator: " OR ") + ")"
        }
    }

    /// An attribute in the typed tables whose names begin with `prefix`: the ids of the owners are
    /// looked up, few as they are, and compared with that of the row.
    private func dimension(
        _ prefix: String, _ id: String, of row: String, _ key: String, _ test: FilterTest,
        _ statement: inout SQLStatement
    ) -> String {
        let value = ValueTest(test)
        var branches: [String] = []
        let keyText = statement.bind(key)
        for type in value.types {
            guard let passes = value.sql(of: "typed.value", type, in: &statement) else { continue }
            var conditions = [
                "typed.key_id = (SELECT key_id FROM attribute_keys WHERE key = \(keyText))", passes,
            ]
            if case .oneOf = test, type == .string {
                conditions.append(
                    "left(typed.value, 200) = ANY (\(value.prefixes(in: &statement)))")
            }
            branches.append(
                "SELECT typed.\(id) FROM \(prefix)_\(type.rawValue) AS typed WHERE "
                    + conditions.joined(separator: " AND "))
        }
        if test == .exists {
            branches.append(
                "SELECT other.\(id) FROM \(prefix)_other AS other"
                    + " WHERE other.attributes ? \(keyText)")
        }
        guard !branches.isEmpty else { return "false" }
        return "\(row).\(id) IN (\(branches.joined(separator: " UNION ALL ")))"
    }

    // MARK: Intrinsic fields

    private func intrinsic(
        _ field: IntrinsicField, _ test: FilterTest, in statement: inout SQLStatement
    ) -> String {
        if field == .eventName, subject == .spans {
            let name = "COALESCE(element.form ->> 'name', '')"
            let passes = ValueTest(test).sql(of: name, .string, in: &statement)
            return element(of: "events", where: passes ?? "false")
        }
        let expression = expression(of: field)
        switch (field.kind, test) {
        case (.traceID, .oneOf(let values)):
            let ids = values.compactMap { value in
                if case .string(let text) = value { text } else { nil }
            }
            return "\(expression) = ANY (\(statement.bind(ids))::uuid[])"
        case (.text, _):
            return ValueTest(test).sql(of: expression, .string, in: &statement) ?? "false"
        default:
            return ValueTest(test).sql(of: expression, .int, in: &statement) ?? "false"
        }
    }

    private func expression(of field: IntrinsicField) -> String {
        switch field {
        case .service: "resource.service_name"
        case .serviceNamespace: "resource.service_namespace"
        case .scopeName: "scope.name"
        case .scopeVersion: "scope.version"
        case .name:
            subject == .series ? "metric.name" : "COALESCE(operation.name, fact.name, '')"
        case .kind: "COALESCE(operation.kind_id, fact.kind_id, 0)"
        case .status: "COALESCE(fact.status_code_id, 0)"
        case .statusMessage: "fact.status_message"
        case .duration: "(fact.end_time_unix_nano - fact.start_time_unix_nano)"
        case .traceID: "fact.trace_id"
        case .spanID: "fact.span_id"
        case .parentSpanID: "fact.parent_span_id"
        case .traceState: "fact.trace_state"
        case .eventName: "fact.event_name"
        case .severityNumber: "fact.severity_number"
        case .severityText: "fact.severity_text"
        case .body:
            "CASE fact.body_type_id WHEN 1 THEN COALESCE(fact.body_text, '')"
                + " ELSE fact.body::text END"
        case .semanticType: SemanticType.expression(catalogue)
        case .unit: "metric.unit"
        case .metricType: "metric.metric_type_id"
        }
    }
}
