# SPDX-License-Identifier: Apache-2.0
"""Turns what the enriched views show back into the OTLP requests that it came from.

The dimension tables are asked only for what the views leave to them: schema URLs, entity references, metric
metadata, and the dropped counts of resources and scopes.
"""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.rebuild import fields, rows, u32
from support.rebuild_metrics import exemplars
from support.values import any_value, double, key_values

ORIGIN = """
    SELECT shown.*, resource.schema_url AS resource_schema_url, resource.entity_refs,
        resource.dropped_attributes_count AS resource_dropped_attributes_count,
        scope.schema_url AS scope_schema_url, scope.dropped_attributes_count AS scope_dropped_attributes_count
    FROM {} AS shown
    LEFT JOIN otel_resources_dim AS resource USING (resource_id)
    LEFT JOIN otel_scopes_dim AS scope USING (scope_id)"""
DATA_FIELDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def scope_of(envelopes, level, row):
    """A new envelope for one row among `envelopes`, and the scope in it."""
    envelope = envelopes.add(schema_url=row["resource_schema_url"] or "")
    envelope.resource.attributes.extend(key_values(row["resource_attributes"]))
    envelope.resource.dropped_attributes_count = u32(row["resource_dropped_attributes_count"])
    for reference in row["entity_refs"] or []:
        envelope.resource.entity_refs.add(**reference)
    inner = getattr(envelope, level).add(schema_url=row["scope_schema_url"] or "")
    inner.scope.name, inner.scope.version = row["scope_name"] or "", row["scope_version"] or ""
    inner.scope.dropped_attributes_count = u32(row["scope_dropped_attributes_count"])
    inner.scope.attributes.extend(key_values(row["scope_attributes"]))
    return inner


def hex_bytes(text):
    return bytes.fromhex(text or "")


def traces(connection):
    request = ExportTraceServiceRequest()
    for row in rows(connection, ORIGIN.format("v_otel_spans_enriched")):
        scope_of(request.resource_spans, "scope_spans", row).spans.append(span(row))
    return request


def span(row):
    result = Span(
        trace_id=hex_bytes(row["trace_id"]), span_id=hex_bytes(row["span_id_hex"]),
        parent_span_id=hex_bytes(row["parent_span_id_hex"]), trace_state=row["trace_state"] or "",
        kind=row["kind_id"], attributes=key_values(row["attributes"]),
        **{name: row[name] for name in (
            "name", "start_time_unix_nano", "end_time_unix_nano", "flags", "dropped_attributes_count",
            "dropped_events_count", "dropped_links_count")})
    if row["status_code_id"] is not None:
        result.status.SetInParent()
        result.status.code, result.status.message = row["status_code_id"], row["status_message"] or ""
    for event in row["events"]:
        result.events.add(**fields(event, "attributes"))
    for link in row["links"]:
        result.links.add(**fields(link, "attributes"))
    return result


def logs(connection):
    request = ExportLogsServiceRequest()
    for row in rows(connection, ORIGIN.format("v_otel_logs_enriched")):
        scope_of(request.resource_logs, "scope_logs", row).log_records.append(log_record(row))
    return request


def log_record(row):
    result = LogRecord(
        time_unix_nano=0 if row["time_is_substituted"] else row["time_unix_nano"],
        observed_time_unix_nano=row["observed_time_unix_nano"] or 0, severity_number=row["severity_number"] or 0,
        severity_text=row["severity_text"] or "", event_name=row["event_name"] or "",
        trace_id=hex_bytes(row["trace_id"]), span_id=hex_bytes(row["span_id_hex"]), flags=row["flags"],
        dropped_attributes_count=row["dropped_attributes_count"], attributes=key_values(row["attributes"]))
    if row["body_type"] is not None:
        result.body.CopyFrom(any_value(row["body"]))
        result.body.SetInParent()
        stored = (result.body.WhichOneof("value") or "empty").removesuffix("_value")
        assert stored == row["body_type"], f"a body of type {row['body_type']} that is {stored}"
    return result


def metrics(connection):
    """All points of the database, each as a metric of one point."""
    metadata = dict(connection.execute("SELECT metric_id, metadata FROM otel_metrics_dim").fetchall())
    request = ExportMetricsServiceRequest()
    for point, make in POINTS.items():
        for row in rows(connection, ORIGIN.format(f"v_otel_metrics_{point}")):
            scope = scope_of(request.resource_metrics, "scope_metrics", row)
            metric = scope.metrics.add(name=row["metric_name"], unit=row["unit"] or "",
                                       description=row["description"] or "",
                                       metadata=key_values(metadata[row["metric_id"]]))
            add_point(metric, row, make(row))
    return request


def add_point(metric: Metric, row, point):
    kind = row["metric_type"]
    assert kind in DATA_FIELDS, kind
    data = getattr(metric, kind)
    if kind not in ("gauge", "summary"):
        data.aggregation_temporality = row["aggregation_temporality_id"] or 0
    if kind == "sum":
        data.is_monotonic = bool(row["is_monotonic"])
    point.time_unix_nano, point.start_time_unix_nano = row["time_unix_nano"], row["start_time_unix_nano"] or 0
    point.flags = row["flags"]
    point.attributes.extend(key_values(row["attributes"]))
    for name in ("sum", "min", "max"):
        if row.get(name) is not None:
            setattr(point, name, row[name])
    data.data_points.append(point)


def number_point(row):
    point = NumberDataPoint(exemplars=exemplars(row))
    if row["value_int"] is not None:
        point.as_int = row["value_int"]
    elif row["value_double"] is not None:
        point.as_double = row["value_double"]
    return point


def integers(numbers):
    return [int(number) for number in numbers or []]


def histogram_point(row):
    return HistogramDataPoint(count=int(row["count"]), bucket_counts=integers(row["bucket_counts"]),
                              explicit_bounds=row["explicit_bounds"], exemplars=exemplars(row))


def exp_histogram_point(row):
    point = ExponentialHistogramDataPoint(
        count=int(row["count"]), zero_count=int(row["zero_count"]), zero_threshold=row["zero_threshold"],
        scale=row["scale"], exemplars=exemplars(row))
    for side in ("positive", "negative"):
        if row[f"{side}_offset"] is not None:
            buckets = getattr(point, side)
            buckets.SetInParent()
            buckets.offset = row[f"{side}_offset"]
            buckets.bucket_counts.extend(integers(row[f"{side}_bucket_counts"]))
    return point


def summary_point(row):
    point = SummaryDataPoint(count=int(row["count"]))
    for pair in row["quantile_values"]:
        point.quantile_values.add(quantile=double(pair["quantile"]), value=double(pair["value"]))
    return point


POINTS = {"number": number_point, "histogram": histogram_point,
          "exp_histogram": exp_histogram_point, "summary": summary_point}
