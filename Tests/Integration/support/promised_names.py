# SPDX-License-Identifier: Apache-2.0
"""The tables and views of the published design that this schema follows, name by name, with its columns.

Written out, so that nothing can be lost by a rule that forgets it.
"""

TABLES = {
    # Dimensions and registries
    "attribute_keys": ["key_id", "key"],
    "otel_resources_dim": [
        "resource_id", "resource_hash", "service_name", "service_namespace", "schema_url", "first_seen", "last_seen",
        "dropped_attributes_count"],
    "otel_scopes_dim": [
        "scope_id", "scope_hash", "name", "version", "schema_url", "first_seen", "last_seen",
        "dropped_attributes_count"],
    "otel_metrics_dim": [
        "metric_id", "metric_hash", "metric_identity_hash", "name", "metric_type_id", "unit",
        "aggregation_temporality_id", "is_monotonic", "description", "schema_url", "first_seen", "last_seen"],
    # Names of numbers
    "log_severity_numbers": ["severity_number"],
    "log_body_types": ["body_type_id"],
    "span_kinds": ["kind_id", "name"],
    "status_codes": ["status_code_id", "name"],
    "metric_types": ["metric_type_id", "name"],
    "aggregation_temporalities": ["temporality_id"],
    # Attributes of resources and scopes
    "otel_resource_attrs_string": ["resource_id", "key_id", "value"],
    "otel_resource_attrs_int": ["resource_id", "key_id", "value"],
    "otel_resource_attrs_double": ["resource_id", "key_id", "value"],
    "otel_resource_attrs_bool": ["resource_id", "key_id", "value"],
    "otel_resource_attrs_bytes": ["resource_id", "key_id", "value"],
    "otel_resource_attrs_other": ["resource_id", "attributes"],
    "otel_scope_attrs_string": ["scope_id", "key_id", "value"],
    "otel_scope_attrs_int": ["scope_id", "key_id", "value"],
    "otel_scope_attrs_double": ["scope_id", "key_id", "value"],
    "otel_scope_attrs_bool": ["scope_id", "key_id", "value"],
    "otel_scope_attrs_bytes": ["scope_id", "key_id", "value"],
    "otel_scope_attrs_other": ["scope_id", "attributes"],
    # Logs
    "otel_logs_fact": [
        "log_id", "resource_id", "scope_id", "time_unix_nano", "observed_time_unix_nano", "severity_number",
        "severity_text", "body_type_id", "body", "trace_id", "span_id_hex", "trace_flags",
        "dropped_attributes_count", "flags"],
    "otel_log_attrs_string": ["log_id", "key_id", "value"],
    "otel_log_attrs_int": ["log_id", "key_id", "value"],
    "otel_log_attrs_double": ["log_id", "key_id", "value"],
    "otel_log_attrs_bool": ["log_id", "key_id", "value"],
    "otel_log_attrs_bytes": ["log_id", "key_id", "value"],
    "otel_log_attrs_other": ["log_id", "attributes"],
    # Traces
    "otel_spans_fact": [
        "span_id", "resource_id", "scope_id", "trace_id", "span_id_hex", "parent_span_id_hex", "trace_state", "name",
        "kind_id", "start_time_unix_nano", "end_time_unix_nano", "status_code_id", "status_message",
        "dropped_attributes_count", "dropped_events_count", "dropped_links_count", "flags"],
    "otel_span_events": ["event_id", "span_id", "name", "time_unix_nano", "dropped_attributes_count"],
    "otel_span_links": [
        "link_id", "span_id", "linked_trace_id", "linked_span_id_hex", "trace_state", "dropped_attributes_count"],
    "otel_span_attrs_string": ["span_id", "key_id", "value"],
    "otel_span_attrs_int": ["span_id", "key_id", "value"],
    "otel_span_attrs_double": ["span_id", "key_id", "value"],
    "otel_span_attrs_bool": ["span_id", "key_id", "value"],
    "otel_span_attrs_bytes": ["span_id", "key_id", "value"],
    "otel_span_attrs_other": ["span_id", "attributes"],
    "otel_span_event_attrs_string": ["event_id", "key_id", "value"],
    "otel_span_event_attrs_int": ["event_id", "key_id", "value"],
    "otel_span_event_attrs_double": ["event_id", "key_id", "value"],
    "otel_span_event_attrs_bool": ["event_id", "key_id", "value"],
    "otel_span_event_attrs_bytes": ["event_id", "key_id", "value"],
    "otel_span_event_attrs_other": ["event_id", "attributes"],
    "otel_span_link_attrs_string": ["link_id", "key_id", "value"],
    "otel_span_link_attrs_int": ["link_id", "key_id", "value"],
    "otel_span_link_attrs_double": ["link_id", "key_id", "value"],
    "otel_span_link_attrs_bool": ["link_id", "key_id", "value"],
    "otel_span_link_attrs_bytes": ["link_id", "key_id", "value"],
    "otel_span_link_attrs_other": ["link_id", "attributes"],
    # Metrics
    "otel_metrics_data_points_number": [
        "data_point_id", "metric_id", "resource_id", "scope_id", "start_time_unix_nano", "time_unix_nano",
        "value_int", "value_double", "flags", "exemplars"],
    "otel_metrics_data_points_histogram": [
        "data_point_id", "metric_id", "resource_id", "scope_id", "start_time_unix_nano", "time_unix_nano", "count",
        "sum", "min", "max", "explicit_bounds", "bucket_counts", "flags", "exemplars"],
    "otel_metrics_data_points_exp_histogram": [
        "data_point_id", "metric_id", "resource_id", "scope_id", "start_time_unix_nano", "time_unix_nano", "count",
        "sum", "min", "max", "scale", "zero_count", "positive_offset", "positive_bucket_counts", "negative_offset",
        "negative_bucket_counts", "flags", "exemplars"],
    "otel_metrics_data_points_summary": [
        "data_point_id", "metric_id", "resource_id", "scope_id", "start_time_unix_nano", "time_unix_nano", "count",
        "sum", "quantile_values", "flags"],
    "otel_metric_number_attrs_string": ["data_point_id", "key_id", "value"],
    "otel_metric_number_attrs_int": ["data_point_id", "key_id", "value"],
    "otel_metric_number_attrs_double": ["data_point_id", "key_id", "value"],
    "otel_metric_number_attrs_bool": ["data_point_id", "key_id", "value"],
    "otel_metric_number_attrs_bytes": ["data_point_id", "key_id", "value"],
    "otel_metric_number_attrs_other": ["data_point_id", "attributes"],
    "otel_metric_histogram_attrs_string": ["data_point_id", "key_id", "value"],
    "otel_metric_histogram_attrs_int": ["data_point_id", "key_id", "value"],
    "otel_metric_histogram_attrs_double": ["data_point_id", "key_id", "value"],
    "otel_metric_histogram_attrs_bool": ["data_point_id", "key_id", "value"],
    "otel_metric_histogram_attrs_bytes": ["data_point_id", "key_id", "value"],
    "otel_metric_histogram_attrs_other": ["data_point_id", "attributes"],
    "otel_metric_exp_histogram_attrs_string": ["data_point_id", "key_id", "value"],
    "otel_metric_exp_histogram_attrs_int": ["data_point_id", "key_id", "value"],
    "otel_metric_exp_histogram_attrs_double": ["data_point_id", "key_id", "value"],
    "otel_metric_exp_histogram_attrs_bool": ["data_point_id", "key_id", "value"],
    "otel_metric_exp_histogram_attrs_bytes": ["data_point_id", "key_id", "value"],
    "otel_metric_exp_histogram_attrs_other": ["data_point_id", "attributes"],
    "otel_metric_summary_attrs_string": ["data_point_id", "key_id", "value"],
    "otel_metric_summary_attrs_int": ["data_point_id", "key_id", "value"],
    "otel_metric_summary_attrs_double": ["data_point_id", "key_id", "value"],
    "otel_metric_summary_attrs_bool": ["data_point_id", "key_id", "value"],
    "otel_metric_summary_attrs_bytes": ["data_point_id", "key_id", "value"],
    "otel_metric_summary_attrs_other": ["data_point_id", "attributes"],
}

VIEWS = {
    "v_otel_logs_enriched": [
        "log_id", "time_unix_nano", "observed_time_unix_nano", "severity_number", "severity_text", "body", "trace_id",
        "span_id_hex", "resource_id", "service_name", "service_namespace", "scope_id", "scope_name", "scope_version",
        "attributes"],
    "v_otel_traces": [
        "trace_id", "start_time_unix_nano", "end_time_unix_nano", "duration_nanos", "span_count", "error_count",
        "root_span_name", "service_name", "service_namespace"],
    "v_otel_spans_enriched": [
        "span_id", "trace_id", "span_id_hex", "parent_span_id_hex", "name", "kind_id", "kind_name",
        "start_time_unix_nano", "end_time_unix_nano", "duration_nanos", "status_code_id", "status_name",
        "status_message", "resource_id", "service_name", "service_namespace", "scope_id", "scope_name", "attributes",
        "events", "links"],
    "v_otel_metrics_number": [
        "data_point_id", "metric_id", "metric_name", "unit", "metric_type", "time_unix_nano", "start_time_unix_nano",
        "value", "service_name", "service_namespace", "attributes"],
    "v_otel_metrics_enriched": [
        "data_point_id", "metric_id", "metric_name", "unit", "metric_type", "time_unix_nano", "start_time_unix_nano",
        "service_name", "service_namespace", "attributes"],
}

# Columns that a fact does not have, since they follow from others: its view has them.
MOVED = {
    "otel_logs_fact": ("v_otel_logs_enriched", ["span_id_hex", "trace_flags"]),
    "otel_spans_fact": ("v_otel_spans_enriched", ["span_id_hex", "parent_span_id_hex"]),
    "otel_metrics_data_points_number": (
        "v_otel_metrics_number", ["data_point_id", "metric_id", "resource_id", "scope_id"]),
    "otel_metrics_data_points_histogram": (
        "v_otel_metrics_histogram", ["data_point_id", "metric_id", "resource_id", "scope_id", "explicit_bounds"]),
    "otel_metrics_data_points_exp_histogram": (
        "v_otel_metrics_exp_histogram", ["data_point_id", "metric_id", "resource_id", "scope_id"]),
    "otel_metrics_data_points_summary": (
        "v_otel_metrics_summary", ["data_point_id", "metric_id", "resource_id", "scope_id"]),
}
