// SPDX-License-Identifier: Apache-2.0

/// `v_otel_spans_enriched` and `v_otel_traces`.
enum SpanViews {
    static func all(promoted: [PromotedAttribute]) -> [ViewDefinition] {
        [spans(promoted), traces]
    }

    private static func spans(_ promoted: [PromotedAttribute]) -> ViewDefinition {
        let attributes = ViewColumn(
            "attributes", MergedAttributes.ofFact(.spans, promoted: promoted),
            "All attributes of the span, those with columns of their own too")
        return .view(
            "v_otel_spans_enriched",
            "One row per span, with operation, resource, scope and all attributes. Compare"
                + " start_time_unix_nano with a number (otel_unix_nano makes one) to skip"
                + " partitions",
            identity + status + origin + [attributes] + parts + further,
            from: """
                otel_spans_fact AS fact
                LEFT JOIN otel_operations_dim AS operation USING (operation_id)
                LEFT JOIN otel_resources_dim AS resource USING (resource_id)
                LEFT JOIN otel_scopes_dim AS scope USING (scope_id)
                LEFT JOIN span_kinds AS kind
                    ON kind.kind_id = COALESCE(operation.kind_id, fact.kind_id, 0)
                LEFT JOIN status_codes AS status USING (status_code_id)
                """)
    }

    private static let identity = [
        ViewColumn("span_id", "fact.span_id", "As in otel_spans_fact: unique within a trace"),
        ViewColumn(
            "trace_id", "otel_trace_id_hex(fact.trace_id)",
            "32 hexadecimal digits. Search by trace_uuid: that one has an index"),
        ViewColumn("span_id_hex", "otel_span_id_hex(fact.span_id)", "16 hexadecimal digits"),
        ViewColumn(
            "parent_span_id_hex", "otel_span_id_hex(fact.parent_span_id)",
            "16 hexadecimal digits; NULL for a root span"),
        ViewColumn("name", "COALESCE(operation.name, fact.name, '')"),
        ViewColumn("kind_id", "COALESCE(operation.kind_id, fact.kind_id, 0)"),
        ViewColumn("kind_name", "kind.name"),
        ViewColumn("start_time_unix_nano", "fact.start_time_unix_nano"),
        ViewColumn("end_time_unix_nano", "fact.end_time_unix_nano"),
        ViewColumn("duration_nanos", "fact.end_time_unix_nano - fact.start_time_unix_nano"),
    ]

    private static let status = [
        ViewColumn("status_code_id", "fact.status_code_id", "NULL where the span has no Status"),
        ViewColumn(
            "status_name",
            "CASE WHEN fact.status_code_id IS NULL THEN 'UNSET' ELSE status.name END",
            "UNSET too where the span has no Status"),
        ViewColumn("status_message", "fact.status_message"),
    ]

    private static let origin = [
        ViewColumn("resource_id", "fact.resource_id"),
        ViewColumn("service_name", "resource.service_name"),
        ViewColumn("service_namespace", "resource.service_namespace"),
        ViewColumn("scope_id", "fact.scope_id"),
        ViewColumn("scope_name", "scope.name"),
    ]

    private static let parts = [
        ViewColumn(
            "events", "COALESCE(fact.events, '[]')",
            "As in otel_spans_fact: members that are 0 or empty are left out"),
        ViewColumn(
            "links", "COALESCE(fact.links, '[]')",
            "As in otel_spans_fact: members that are 0 or empty are left out"),
    ]

    private static let further = [
        ViewColumn("time", "otel_time(fact.start_time_unix_nano)", "Start of the span"),
        ViewColumn("end_time", "otel_time(fact.end_time_unix_nano)"),
        ViewColumn("trace_uuid", "fact.trace_id", "The trace id as it is stored and indexed"),
        ViewColumn("parent_span_id", "fact.parent_span_id"),
        ViewColumn("scope_version", "scope.version"),
        ViewColumn("trace_state", "fact.trace_state"),
        ViewColumn("flags", "COALESCE(otel_uint32(fact.flags), 0)"),
        ViewColumn(
            "dropped_attributes_count", "COALESCE(otel_uint32(fact.dropped_attributes_count), 0)"),
        ViewColumn("dropped_events_count", "COALESCE(otel_uint32(fact.dropped_events_count), 0)"),
        ViewColumn("dropped_links_count", "COALESCE(otel_uint32(fact.dropped_links_count), 0)"),
        ViewColumn(
            "resource_attributes", MergedAttributes.ofResource(id: "fact.resource_id")),
        ViewColumn("scope_attributes", MergedAttributes.ofScope(id: "fact.scope_id")),
    ]

    /// Begins from the first span of each trace, not from a GROUP BY over all spans: the start of
    /// the trace is then a column of the facts, by which partitions are skipped and indexes chosen.
    private static let traces = ViewDefinition.view(
        "v_otel_traces",
        "One row per trace. Compare start_time_unix_nano with a number to skip partitions: the"
            + " spans of the traces that begin then are found by index",
        [
            ViewColumn(
                "trace_id", "otel_trace_id_hex(fact.trace_id)",
                "32 hexadecimal digits. Search by trace_uuid: that one has an index"),
            ViewColumn(
                "start_time_unix_nano", "fact.start_time_unix_nano", "Start of its first span"),
            ViewColumn(
                "end_time_unix_nano", "trace.end_time_unix_nano", "End of its last span to end"),
            ViewColumn("duration_nanos", "trace.end_time_unix_nano - fact.start_time_unix_nano"),
            ViewColumn("span_count", "trace.span_count"),
            ViewColumn("error_count", "trace.error_count", "Spans with status ERROR"),
            ViewColumn(
                "root_span_name",
                "CASE WHEN trace.root_span_id IS NOT NULL"
                    + " THEN COALESCE(operation.name, trace.root_name, '') END",
                "Of the first span without a parent; NULL where none has arrived"),
            ViewColumn("service_name", "resource.service_name", "Of the root span"),
            ViewColumn("service_namespace", "resource.service_namespace", "Of the root span"),
            ViewColumn("time", "otel_time(fact.start_time_unix_nano)", "Start of its first span"),
            ViewColumn("end_time", "otel_time(trace.end_time_unix_nano)"),
            ViewColumn("trace_uuid", "fact.trace_id", "The trace id as it is stored and indexed"),
            ViewColumn("root_span_id_hex", "otel_span_id_hex(trace.root_span_id)"),
        ], from: tracesSource)

    /// A row is the first of its trace when none is before it; spans that were stored twice are
    /// told apart by where they are.
    private static let tracesSource = """
        otel_spans_fact AS fact
        CROSS JOIN LATERAL (
            SELECT max(span.end_time_unix_nano) AS end_time_unix_nano, count(*) AS span_count,
                count(*) FILTER (WHERE span.status_code_id = 2) AS error_count,
                \(root("span_id")) AS root_span_id,
                \(root("resource_id")) AS root_resource_id,
                \(root("operation_id")) AS root_operation_id,
                \(root("name")) AS root_name
            FROM otel_spans_fact AS span WHERE span.trace_id = fact.trace_id
        ) AS trace
        LEFT JOIN otel_operations_dim AS operation
            ON operation.operation_id = trace.root_operation_id
        LEFT JOIN otel_resources_dim AS resource ON resource.resource_id = trace.root_resource_id
        WHERE NOT EXISTS (
            SELECT FROM otel_spans_fact AS earlier
            WHERE earlier.trace_id = fact.trace_id
                AND (earlier.start_time_unix_nano, earlier.tableoid, earlier.ctid)
                    < (fact.start_time_unix_nano, fact.tableoid, fact.ctid))
        """

    private static func root(_ column: String) -> String {
        "(array_agg(span.\(column) ORDER BY span.start_time_unix_nano)"
            + " FILTER (WHERE span.parent_span_id IS NULL))[1]"
    }
}
