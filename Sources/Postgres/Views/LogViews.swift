// SPDX-License-Identifier: Apache-2.0

/// `v_otel_logs_enriched`.
enum LogViews {
    static func all(promoted: [PromotedAttribute]) -> [ViewDefinition] {
        [
            .view(
                "v_otel_logs_enriched",
                "One row per log record, with resource, scope and all attributes. Compare"
                    + " time_unix_nano with a number (otel_unix_nano makes one) to skip partitions",
                record + origin + [attributes(promoted)] + further,
                from: """
                    otel_logs_fact AS fact
                    LEFT JOIN otel_resources_dim AS resource USING (resource_id)
                    LEFT JOIN otel_scopes_dim AS scope USING (scope_id)
                    LEFT JOIN log_severity_numbers AS severity
                        ON severity.severity_number = COALESCE(fact.severity_number, 0)
                    LEFT JOIN log_body_types AS body_type USING (body_type_id)
                    """)
        ]
    }

    private static let body = """
        CASE fact.body_type_id WHEN 1 THEN to_jsonb(COALESCE(fact.body_text, ''))
            WHEN 0 THEN COALESCE(fact.body, 'null') ELSE fact.body END
        """

    private static let record = [
        ViewColumn("log_id", "fact.log_id"),
        ViewColumn("time_unix_nano", "fact.time_unix_nano"),
        ViewColumn("observed_time_unix_nano", "fact.observed_time_unix_nano"),
        ViewColumn("severity_number", "fact.severity_number", "NULL where the record says none"),
        ViewColumn("severity_text", "fact.severity_text", "As the sender wrote it"),
        ViewColumn(
            "body", body, "The body of any kind, written as an attribute value is; NULL without"),
        ViewColumn(
            "trace_id", "otel_trace_id_hex(fact.trace_id)",
            "32 hexadecimal digits. Search by trace_uuid: that one has an index"),
        ViewColumn("span_id_hex", "otel_span_id_hex(fact.span_id)", "16 hexadecimal digits"),
    ]

    private static let origin = [
        ViewColumn("resource_id", "fact.resource_id"),
        ViewColumn("service_name", "resource.service_name"),
        ViewColumn("service_namespace", "resource.service_namespace"),
        ViewColumn("scope_id", "fact.scope_id"),
        ViewColumn("scope_name", "scope.name"),
        ViewColumn("scope_version", "scope.version"),
    ]

    private static func attributes(_ promoted: [PromotedAttribute]) -> ViewColumn {
        ViewColumn(
            "attributes", MergedAttributes.ofFact(.logs, promoted: promoted),
            "All attributes of the record, those with columns of their own too")
    }

    private static let further = [
        ViewColumn("time", "otel_time(fact.time_unix_nano)"),
        ViewColumn("observed_time", "otel_time(fact.observed_time_unix_nano)"),
        ViewColumn(
            "time_is_substituted", "COALESCE(fact.time_is_substituted, false)",
            "True where the record said no time of its own"),
        ViewColumn(
            "severity_name", "severity.severity_text", "Of severity_number, as OTLP names it"),
        ViewColumn("event_name", "fact.event_name"),
        ViewColumn("body_text", "fact.body_text", "The body where it is a string"),
        ViewColumn("body_type", "body_type.name"),
        ViewColumn("trace_uuid", "fact.trace_id", "The trace id as it is stored and indexed"),
        ViewColumn("span_id", "fact.span_id", "As otel_spans_fact.span_id"),
        ViewColumn("trace_flags", "COALESCE(otel_uint32(fact.flags), 0) & 255", "W3C trace flags"),
        ViewColumn("flags", "COALESCE(otel_uint32(fact.flags), 0)"),
        ViewColumn(
            "dropped_attributes_count", "COALESCE(otel_uint32(fact.dropped_attributes_count), 0)"),
        ViewColumn(
            "resource_attributes", MergedAttributes.ofResource(id: "fact.resource_id")),
        ViewColumn("scope_attributes", MergedAttributes.ofScope(id: "fact.scope_id")),
    ]
}
