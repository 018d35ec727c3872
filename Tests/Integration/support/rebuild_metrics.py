# SPDX-License-Identifier: Apache-2.0
"""Turns the metric point rows of a database back into one ExportMetricsServiceRequest."""

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    SummaryDataPoint)

from support.rebuild import Dimensions, fields, rows, typed_attributes, u32, u64
from support.values import double, key_values

DATA_FIELDS = {5: "gauge", 7: "sum", 9: "histogram", 10: "exponential_histogram", 11: "summary"}
TABLES = {"number": {5, 7}, "histogram": {9}, "exp_histogram": {10}, "summary": {11}}


def metrics(connection):
    """All points of the database, each as a metric of one point."""
    dimensions = Dimensions(connection)
    attributes = typed_attributes(connection, "otel_metric_series_attrs", "series_id")
    definitions = {row["metric_id"]: row for row in rows(connection, "SELECT * FROM otel_metrics_dim")}
    series = {row["series_id"]: row for row in rows(connection, "SELECT * FROM otel_metric_series_dim")}
    bounds = {row["bounds_id"]: row["explicit_bounds"]
              for row in rows(connection, "SELECT * FROM otel_histogram_bounds_dim")}
    request = ExportMetricsServiceRequest()
    for table, kinds in TABLES.items():
        for row in rows(connection, f"SELECT * FROM otel_metrics_data_points_{table}"):
            owner = series[row["series_id"]]
            definition = definitions[owner["metric_id"]]
            assert definition["metric_type_id"] in kinds
            envelope, scope = dimensions.envelope(ResourceMetrics, owner)
            point = POINTS[table](row, bounds)
            point.attributes.extend(attributes.get(row["series_id"], []))
            scope.metrics.append(metric(definition, point))
            request.resource_metrics.append(envelope)
    return request


def metric(row, point):
    result = Metric(name=row["name"], unit=row["unit"] or "", description=row["description"] or "",
                    metadata=key_values(row["metadata"]))
    data = getattr(result, DATA_FIELDS[row["metric_type_id"]])
    if row["metric_type_id"] in (7, 9, 10):
        data.aggregation_temporality = row["aggregation_temporality_id"] or 0
    if row["metric_type_id"] == 7:
        data.is_monotonic = bool(row["is_monotonic"])
    data.data_points.append(point)
    return result


def common(row):
    return {"time_unix_nano": row["time_unix_nano"], "start_time_unix_nano": row["start_time_unix_nano"] or 0,
            "flags": u32(row["flags"])}


def set_optional(point, row):
    """sum, min and max of the histograms, each with presence."""
    for name in ("sum", "min", "max"):
        if row[name] is not None:
            setattr(point, name, row[name])
    return point


def number_point(row, _bounds):
    point = NumberDataPoint(exemplars=exemplars(row), **common(row))
    assert row["value_int"] is None or row["value_double"] is None
    if row["value_int"] is not None:
        point.as_int = row["value_int"]
    if row["value_double"] is not None:
        point.as_double = row["value_double"]
    return point


def histogram_point(row, bounds):
    return set_optional(HistogramDataPoint(
        count=u64(row["count"]), bucket_counts=[u64(count) for count in row["bucket_counts"] or []],
        explicit_bounds=[] if row["bounds_id"] is None else bounds[row["bounds_id"]],
        exemplars=exemplars(row), **common(row)), row)


def exp_histogram_point(row, _bounds):
    point = set_optional(ExponentialHistogramDataPoint(
        count=u64(row["count"]), zero_count=u64(row["zero_count"]), zero_threshold=row["zero_threshold"],
        scale=row["scale"], exemplars=exemplars(row), **common(row)), row)
    for side in ("positive", "negative"):
        if row[f"{side}_offset"] is not None:
            buckets = getattr(point, side)
            buckets.SetInParent()
            buckets.offset = row[f"{side}_offset"]
            buckets.bucket_counts.extend(u64(count) for count in row[f"{side}_bucket_counts"] or [])
        else:
            assert row[f"{side}_bucket_counts"] is None
    return point


def summary_point(row, _bounds):
    point = SummaryDataPoint(count=u64(row["count"]), sum=row["sum"], **common(row))
    quantiles, values = row["quantiles"] or [], row["quantile_values"] or []
    assert len(quantiles) == len(values)
    for quantile, value in zip(quantiles, values):
        point.quantile_values.add(quantile=quantile, value=value)
    return point


def exemplars(row):
    result = []
    for form in row["exemplars"] or []:
        values = fields(form, "filtered_attributes")
        if "value_int" in values:
            values["as_int"] = values.pop("value_int")
        if "value_double" in values:
            values["as_double"] = double(values.pop("value_double"))
        result.append(Exemplar(**values))
    return result


POINTS = {"number": number_point, "histogram": histogram_point,
          "exp_histogram": exp_histogram_point, "summary": summary_point}
