// SPDX-License-Identifier: Apache-2.0

/// The schema `grafana`: few views with plain columns, for dashboards (docs/grafana.md).
///
/// A contract towards people who write queries that nobody sees: columns may be added at the end,
/// and none is renamed, retyped or removed. They stand in a schema of their own so that a role can
/// be let in there and nowhere else: a view reads with the rights of its owner.
enum GrafanaViews {
    static let schemaName = "grafana"

    static let all =
        [schema] + GrafanaViews.telemetry + GrafanaViews.serviceFigures + GrafanaViews.daemon

    private static let schema = ViewDefinition.schema(
        schemaName, "Views for dashboards, with columns that stay; see docs/grafana.md")

    static func view(
        _ name: String, _ comment: String, _ columns: [ViewColumn], from source: String
    ) -> ViewDefinition {
        .view("\(schemaName).\(name)", comment, columns, from: source)
    }
}

// What was received.
extension GrafanaViews {
    private static let telemetry = [
        spans, traces, logs, metrics, histograms, services, operations,
    ]

    private static let spans = view(
        "spans",
        "One row per span. Filter by start_time_unix_nano, so that partitions are skipped",
        [
            ViewColumn("time", "span.time", "Start, in whole microseconds; to be shown"),
            ViewColumn(
                "start_time_unix_nano", "span.start_time_unix_nano",
                "Start; what $__unixEpochNanoFilter is for"),
            ViewColumn("duration_nanos", "span.duration_nanos"),
            ViewColumn("duration_ms", "span.duration_nanos / 1e6::double precision"),
            ViewColumn("service_name", "span.service_name"),
            ViewColumn("service_namespace", "span.service_namespace"),
            ViewColumn("operation", "span.name", "The name of the span"),
            ViewColumn("kind", "span.kind_name", "As OTLP names it: SERVER, CLIENT, …"),
            ViewColumn(
                "is_entry", "span.kind_id IN (2, 5)",
                "Whether it is of kind SERVER or CONSUMER: a request to its service"),
            ViewColumn(
                "is_root", "span.parent_span_id IS NULL", "Whether it has no parent"),
            ViewColumn("status", "span.status_name", "UNSET, OK or ERROR"),
            ViewColumn("is_error", "COALESCE(span.status_code_id = 2, false)"),
            ViewColumn("status_message", "span.status_message"),
            ViewColumn("trace_id", "span.trace_id", "32 hexadecimal digits, to be shown"),
            ViewColumn("trace_uuid", "span.trace_uuid", "The same with an index, to search by"),
            ViewColumn("span_id", "span.span_id_hex", "16 hexadecimal digits"),
            ViewColumn("parent_span_id", "span.parent_span_id_hex", "16 hexadecimal digits"),
            ViewColumn("scope_name", "span.scope_name"),
            ViewColumn("attributes", "span.attributes"),
            ViewColumn("resource_attributes", "span.resource_attributes"),
            ViewColumn("events", "span.events"),
        ], from: "v_otel_spans_enriched AS span")

    private static let traces = view(
        "traces",
        "One row per trace, put together from its spans: ask for a short range of"
            + " start_time_unix_nano or for a trace_uuid",
        [
            ViewColumn("time", "trace.time", "Start of its first span"),
            ViewColumn("start_time_unix_nano", "trace.start_time_unix_nano"),
            ViewColumn("duration_nanos", "trace.duration_nanos"),
            ViewColumn("duration_ms", "trace.duration_nanos / 1e6::double precision"),
            ViewColumn("trace_id", "trace.trace_id", "32 hexadecimal digits, to be shown"),
            ViewColumn("trace_uuid", "trace.trace_uuid", "The same with an index, to search by"),
            ViewColumn("service_name", "trace.service_name", "Of the root span"),
            ViewColumn("operation", "trace.root_span_name", "The name of the root span"),
            ViewColumn("span_count", "trace.span_count"),
            ViewColumn("error_count", "trace.error_count", "Spans with status ERROR"),
        ], from: "v_otel_traces AS trace")

    private static let logs = view(
        "logs",
        "One row per log record. Filter by time_unix_nano, so that partitions are skipped",
        [
            ViewColumn("time", "record.time", "In whole microseconds; to be shown"),
            ViewColumn(
                "time_unix_nano", "record.time_unix_nano", "What $__unixEpochNanoFilter is for"),
            ViewColumn(
                "body", "COALESCE(record.body_text, record.body #>> '{}')",
                "The body as text; JSON where it is no string"),
            ViewColumn("level", level, "Severity in the words that the Logs panel colours"),
            ViewColumn("severity_number", "record.severity_number"),
            ViewColumn("severity_text", "record.severity_text", "As the sender wrote it"),
            ViewColumn("service_name", "record.service_name"),
            ViewColumn("service_namespace", "record.service_namespace"),
            ViewColumn("event_name", "record.event_name"),
            ViewColumn("trace_id", "record.trace_id", "32 hexadecimal digits, to be shown"),
            ViewColumn("trace_uuid", "record.trace_uuid", "The same with an index, to search by"),
            ViewColumn("span_id", "record.span_id_hex", "16 hexadecimal digits"),
            ViewColumn("id", "record.log_id::text", "Unique"),
            ViewColumn("scope_name", "record.scope_name"),
            ViewColumn("attributes", "record.attributes"),
            ViewColumn("resource_attributes", "record.resource_attributes"),
        ], from: "v_otel_logs_enriched AS record")

    /// https://grafana.com/docs/grafana/latest/explore/logs-integration/, "Log level".
    private static let level = """
        CASE WHEN record.severity_number BETWEEN 1 AND 4 THEN 'trace'
            WHEN record.severity_number BETWEEN 5 AND 8 THEN 'debug'
            WHEN record.severity_number BETWEEN 9 AND 12 THEN 'info'
            WHEN record.severity_number BETWEEN 13 AND 16 THEN 'warning'
            WHEN record.severity_number BETWEEN 17 AND 20 THEN 'error'
            WHEN record.severity_number BETWEEN 21 AND 24 THEN 'critical'
            ELSE 'unknown' END
        """

    private static let point = [
        ViewColumn("time", "point.time", "In whole microseconds; to be shown"),
        ViewColumn(
            "time_unix_nano", "point.time_unix_nano", "What $__unixEpochNanoFilter is for"),
        ViewColumn("metric_name", "point.metric_name"),
        ViewColumn("unit", "point.unit"),
        ViewColumn("metric_type", "point.metric_type"),
        ViewColumn("aggregation_temporality", "point.aggregation_temporality"),
        ViewColumn("is_monotonic", "point.is_monotonic"),
        ViewColumn("service_name", "point.service_name"),
        ViewColumn("service_namespace", "point.service_namespace"),
        ViewColumn("series_id", "point.series_id", "The same for points of one time series"),
        ViewColumn("attributes", "point.attributes"),
        ViewColumn("resource_attributes", "point.resource_attributes"),
        ViewColumn("start_time_unix_nano", "point.start_time_unix_nano"),
    ]

    private static let metrics = view(
        "metrics",
        "One row per point of a gauge or sum. Filter by time_unix_nano, so that partitions are"
            + " skipped",
        point + [ViewColumn("value", "point.value")], from: "v_otel_metrics_number AS point")

    private static let histograms = view(
        "histograms",
        "One row per point of a histogram with explicit bounds. Filter by time_unix_nano, so that"
            + " partitions are skipped",
        point + [
            ViewColumn("count", "point.count"), ViewColumn("sum", "point.sum"),
            ViewColumn("min", "point.min"), ViewColumn("max", "point.max"),
            ViewColumn("explicit_bounds", "point.explicit_bounds"),
            ViewColumn(
                "bucket_counts", "point.bucket_counts",
                "One more than there are bounds, or none"),
        ], from: "v_otel_metrics_histogram AS point")

    private static let services = view(
        "services", "One row per service that resources name, for variables of dashboards",
        [
            ViewColumn("service_name", "resource.service_name"),
            ViewColumn("first_seen", "min(resource.first_seen)"),
            ViewColumn("last_seen", "max(resource.last_seen)", "Noted at most once in a while"),
            ViewColumn("resource_count", "count(*)"),
        ],
        from: """
            otel_resources_dim AS resource
            WHERE resource.service_name IS NOT NULL
            GROUP BY resource.service_name
            """)

    private static let operations = view(
        "operations", "One row per service, name of a span, and kind, for variables of dashboards",
        [
            ViewColumn("service_name", "operation.service_name"),
            ViewColumn("operation", "operation.name"),
            ViewColumn("kind", "kind.name"),
        ],
        from: """
            otel_operations_dim AS operation
            LEFT JOIN span_kinds AS kind USING (kind_id)
            """)
}
