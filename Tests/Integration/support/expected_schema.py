# SPDX-License-Identifier: Apache-2.0
"""The tables and views that people who write SQL by hand are promised, with the columns that each begins with.

Tables are named without their columns: those are the business of the migrations.
"""

KINDS = {"string": "text", "int": "bigint", "double": "double precision", "bool": "boolean", "bytes": "bytea"}
POINTS = ("number", "histogram", "exp_histogram", "summary")

TABLES = [
    "attribute_keys", "log_severity_numbers", "log_body_types", "span_kinds", "status_codes", "metric_types",
    "aggregation_temporalities", "otel_resources_dim", "otel_scopes_dim", "otel_metrics_dim", "otel_logs_fact",
    "otel_spans_fact", *(f"otel_metrics_data_points_{point}" for point in POINTS),
    *(f"otel_{owner}_attrs_{kind}" for owner in ("resource", "scope") for kind in (*KINDS, "other")),
]

# Prefix of attribute views -> the column that names the owner, and its type.
ATTRIBUTE_OWNERS = {
    "otel_span_attrs": ("span_id", "bigint"), "otel_log_attrs": ("log_id", "bigint"),
    "otel_span_event_attrs": ("event_id", "bigint"), "otel_span_link_attrs": ("link_id", "bigint"),
    **{f"otel_metric_{point}_attrs": ("data_point_id", "numeric") for point in POINTS},
}

METRIC_BEGIN = [
    ("data_point_id", "numeric"), ("metric_id", "integer"), ("metric_name", "text"), ("unit", "text"),
    ("metric_type", "text"), ("time_unix_nano", "bigint"), ("start_time_unix_nano", "bigint")]
METRIC_END = [("service_name", "text"), ("service_namespace", "text"), ("attributes", "jsonb")]
DISTRIBUTION = [("count", "numeric"), ("sum", "double precision"), ("min", "double precision"),
                ("max", "double precision")]

VIEWS = {
    "otel_span_events": [
        ("event_id", "bigint"), ("span_id", "bigint"), ("name", "text"), ("time_unix_nano", "bigint"),
        ("dropped_attributes_count", "bigint")],
    "otel_span_links": [
        ("link_id", "bigint"), ("span_id", "bigint"), ("linked_trace_id", "text"), ("linked_span_id_hex", "text"),
        ("trace_state", "text"), ("dropped_attributes_count", "bigint")],
    "v_otel_logs_enriched": [
        ("log_id", "bigint"), ("time_unix_nano", "bigint"), ("observed_time_unix_nano", "bigint"),
        ("severity_number", "integer"), ("severity_text", "text"), ("body", "jsonb"), ("trace_id", "text"),
        ("span_id_hex", "text"), ("resource_id", "integer"), ("service_name", "text"), ("service_namespace", "text"),
        ("scope_id", "integer"), ("scope_name", "text"), ("scope_version", "text"), ("attributes", "jsonb")],
    "v_otel_traces": [
        ("trace_id", "text"), ("start_time_unix_nano", "bigint"), ("end_time_unix_nano", "bigint"),
        ("duration_nanos", "bigint"), ("span_count", "bigint"), ("error_count", "bigint"), ("root_span_name", "text"),
        ("service_name", "text"), ("service_namespace", "text")],
    "v_otel_spans_enriched": [
        ("span_id", "bigint"), ("trace_id", "text"), ("span_id_hex", "text"), ("parent_span_id_hex", "text"),
        ("name", "text"), ("kind_id", "integer"), ("kind_name", "text"), ("start_time_unix_nano", "bigint"),
        ("end_time_unix_nano", "bigint"), ("duration_nanos", "bigint"), ("status_code_id", "integer"),
        ("status_name", "text"), ("status_message", "text"), ("resource_id", "integer"), ("service_name", "text"),
        ("service_namespace", "text"), ("scope_id", "integer"), ("scope_name", "text"), ("attributes", "jsonb"),
        ("events", "jsonb"), ("links", "jsonb")],
    "v_otel_metrics_number": [*METRIC_BEGIN, ("value", "double precision")],
    "v_otel_metrics_histogram": [
        *METRIC_BEGIN, *DISTRIBUTION, ("explicit_bounds", "double precision[]"), ("bucket_counts", "numeric[]"),
        *METRIC_END],
    "v_otel_metrics_exp_histogram": [
        *METRIC_BEGIN, *DISTRIBUTION, ("scale", "integer"), ("zero_count", "numeric"),
        ("zero_threshold", "double precision"), ("positive_offset", "integer"),
        ("positive_bucket_counts", "numeric[]"), ("negative_offset", "integer"),
        ("negative_bucket_counts", "numeric[]"), *METRIC_END],
    "v_otel_metrics_summary": [
        *METRIC_BEGIN, ("count", "numeric"), ("sum", "double precision"), ("quantile_values", "jsonb"), *METRIC_END],
    "v_otel_metrics_enriched": [*METRIC_BEGIN, *METRIC_END],
}
for prefix, (owner, owner_type) in ATTRIBUTE_OWNERS.items():
    for kind, value_type in KINDS.items():
        VIEWS[f"{prefix}_{kind}"] = [(owner, owner_type), ("key_id", "integer"), ("value", value_type)]
    VIEWS[f"{prefix}_other"] = [(owner, owner_type), ("attributes", "jsonb")]

# Views whose rows have a moment, with the column of nanoseconds that partitions are made by.
PARTITION_COLUMNS = {
    name: "start_time_unix_nano" if "span" in name or "trace" in name else "time_unix_nano" for name in VIEWS}
