# SPDX-License-Identifier: Apache-2.0
"""Exports of metric points: every row once, as the views show it, in every format; by name, by filter, and all at once."""

import csv
import io
import json
import math
import random

import pytest
from psycopg.rows import dict_row

from conftest import Export
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from support import otlp
from support.api import api_settings
from support.normal import pieces
from support.query import QueryAPI
from support.random_otlp import Maker
from support.values import double
from support.waiting import PATIENCE_SECONDS
from test_export import DAY_NS, EVERYTHING, SECOND_NS, cell

CASE_COUNT = 40
TABLES = {"gauge": "number", "sum": "number", "histogram": "histogram", "exponential_histogram": "exp_histogram",
          "summary": "summary"}
VALUES = {
    "number": ["value_int", "value_double", "exemplars"],
    "histogram": ["count", "sum", "min", "max", "explicit_bounds", "bucket_counts", "exemplars"],
    "exp_histogram": ["count", "sum", "min", "max", "scale", "zero_count", "zero_threshold", "positive_offset",
                      "positive_bucket_counts", "negative_offset", "negative_bucket_counts", "exemplars"],
    "summary": ["count", "sum", "quantile_values"],
}
NAMES = ["metric", "type", "unit", "temporality", "is_monotonic", "description", "time_unix_nano", "start_time_unix_nano",
         "series_id", "resource_id", "service_name", "scope_name", "scope_version", "attributes", "value_int",
         "value_double", "count", "sum", "min", "max", "explicit_bounds", "bucket_counts", "scale", "zero_count",
         "zero_threshold", "positive_offset", "positive_bucket_counts", "negative_offset", "negative_bucket_counts",
         "quantile_values", "exemplars", "flags", "resource_attributes"]
VIEW = {"metric": "metric_name", "type": "metric_type", "temporality": "aggregation_temporality"}
DOUBLES = {"value_double", "sum", "min", "max", "zero_threshold"}
DIGITS = {"time_unix_nano", "start_time_unix_nano", "series_id", "value_int", "count", "zero_count"}


@pytest.fixture(scope="module")
def served(database, start_server):
    """A daemon with random points of all kinds: the server, its API, and how many there are."""
    settings, api = api_settings(**{"query.range_max": "60d"})
    server = start_server(database, settings)
    api.wait_ready()
    requests = [Maker(random.Random(f"export/metrics/{number}")).request("metrics") for number in range(CASE_COUNT)]
    with server.channel() as channel:
        export = Export(channel)
        calls = [export.method(request).future(request, timeout=PATIENCE_SECONDS) for request in requests]
        assert [call.result().ByteSize() for call in calls] == [0] * CASE_COUNT
    yield server, QueryAPI(api.address), sum(pieces(request).total() for request in requests)
    assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture(scope="module")
def listed(served):
    """What the views show, as lines should have it."""
    found = []
    with served[0].database.connect() as db, db.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute("SELECT * FROM v_otel_metrics_enriched").fetchall():
            kind = TABLES[row["metric_type"]]
            missing = {name for names in VALUES.values() for name in names} - set(VALUES[kind])
            found.append({name: shown(name, row[VIEW.get(name, name)]) for name in NAMES if name not in missing})
    return found


def shown(name, value):
    if name == "quantile_values":
        return [{key: wire(double(number)) for key, number in pair.items()} for pair in value]
    if name in DIGITS:
        return None if value is None else str(value)
    if name.endswith("bucket_counts"):
        return None if value is None else [str(count) for count in value]
    return [wire(one) for one in value] if name == "explicit_bounds" else wire(value)


def wire(value):
    """A double as JSON has it."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def exported(query, parameters=(), path="/api/metrics/export", **headers):
    answer = query.request(path, EVERYTHING | dict(parameters), **headers)
    assert answer.status == 200, answer
    return answer


def lines(query, parameters=(), path="/api/metrics/export"):
    body = exported(query, parameters, path).body
    assert not body or body.endswith("\n")
    return [json.loads(line) for line in body.split("\n")[:-1]]


def in_order(points):
    return sorted(json.dumps(point, sort_keys=True) for point in points)


def place(point):
    """By partition, in that by kind of point, in that by time and series."""
    time_ns = int(point["time_unix_nano"])
    return time_ns // DAY_NS, list(VALUES).index(TABLES[point["type"]]), time_ns, int(point["series_id"])


def test_lines_are_the_rows_of_the_views(served, listed):
    _, query, count = served
    found = lines(query)
    assert len(found) == count and {point["type"] for point in found} == set(TABLES)
    assert in_order(found) == in_order(listed)
    assert [place(point) for point in found] == sorted(place(point) for point in found)
    assert lines(query) == found


def test_csv_has_the_same(served):
    _, query, _ = served
    answer = exported(query, {"format": "csv"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="metrics.csv"'
    head, *rows = csv.reader(io.StringIO(answer.body, newline=""), strict=True)
    assert head == NAMES
    assert rows == [["" if name not in point else Number(point[name]) if name in DOUBLES
                     else cell(name, point[name], point) for name in NAMES] for point in lines(query)]


class Number:
    """Equals text of the same double."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, text):
        return text == "" if self.value is None else repr(float(self.value)) == repr(float(text))

    def __repr__(self):
        return f"{self.value}"


def test_filters_and_limits(served, listed):
    _, query, _ = served
    found = lines(query)
    for parameters, passes in [
            ({"type": "histogram"}, lambda point: point["type"] == "histogram"),
            ({"filter": "type!=gauge"}, lambda point: point["type"] != "gauge"),
            ({"filter": "resource.service.name"}, lambda point: "service.name" in point["resource_attributes"]),
            ({"filters": json.dumps([{"not": {"field": "unit", "operator": "exists"}}])}, lambda point: point["unit"] is None),
            ({"service": "nobody"}, lambda point: False)]:
        assert lines(query, parameters) == [point for point in found if passes(point)], parameters
    for limit in (1, 7, len(found) - 1, len(found), len(found) + 1):
        assert lines(query, {"limit": limit}) == found[:limit]
    middle = int(found[len(found) // 2]["time_unix_nano"])
    # The end is not part of the range.
    assert lines(query, {"end_time": middle}) == [point for point in found if int(point["time_unix_nano"]) < middle]
    assert lines(query, {"start_time": middle}) == [point for point in found if int(point["time_unix_nano"]) >= middle]
    answer = exported(query, {"service": "nobody"}, Accept="text/csv")
    assert answer.body == ",".join(NAMES) + "\r\n"


def test_one_metric(served):
    """Points of every type that have the name, of several series, and of no other metric."""
    server, query, _ = served
    name = f"export/{otlp.unique()} of a name"
    metrics = [Metric(name=name), Metric(name=name), Metric(name=name + "2")]
    for index, metric in enumerate(metrics):
        points = (metric.sum if index == 1 else metric.gauge).data_points
        for second in range(5):
            points.add(time_unix_nano=otlp.BASE_NS + second * SECOND_NS, as_int=10 * index + second,
                       attributes=otlp.attributes(host="a" if second % 2 else "b"))
    with server.channel() as channel:
        Export(channel)(otlp.request("metrics", metrics))

    def values(path, **parameters):
        return sorted(int(point["value_int"]) for point in lines(query, parameters, path))
    path = f"/api/metrics/{name.replace('/', '%2F').replace(' ', '%20')}/export"
    assert values(path) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    assert values(path, type="sum") == [10, 11, 12, 13, 14]
    assert values(path, **{"datapoint.host": "a", "type": "gauge"}) == [1, 3]
    assert values(path, **{"attr.host": "b", "end_time": otlp.BASE_NS + 2 * SECOND_NS}) == [0, 10]
    assert values("/api/metrics/export", name=name + "2") == [20, 21, 22, 23, 24]
    request = json.loads(exported(query, {"format": "otlp-json"}, path).body)
    [scope] = [scope for resource in request["resourceMetrics"] for scope in resource["scopeMetrics"]]
    # Points of one metric are together.
    assert [(metric["name"], len(metric.get("gauge", metric.get("sum"))["dataPoints"])) for metric in scope["metrics"]] \
        == [(name, 5), (name, 5)]


@pytest.mark.parametrize("path, parameters, kind, pointer, status", [
    ("metrics", {}, "invalid-parameter", "start_time", 400),
    ("metrics", {"start_time": "now-1h", "limit": 0}, "invalid-parameter", "limit", 400),
    ("metrics", {"start_time": "now-1h", "format": "xml"}, "invalid-parameter", "format", 400),
    ("metrics", {"start_time": "now-1h", "aggregation": "avg"}, "invalid-parameter", "aggregation", 400),
    ("metrics", {"start_time": "now-1h", "type": "counter"}, "invalid-filter", "type", 400),
    ("metrics", {"start_time": "now-1h", "filter": "body=x"}, "invalid-filter", "filter", 400),
    ("metrics", {"start_time": "now-1h", "filter": "name~("}, "invalid-filter", None, 400),
    ("metrics", {"start_time": "now-90d"}, "range-too-wide", "start_time", 422),
    ("metrics/no such", {"start_time": "now-1h"}, "not-found", None, 404),
])
def test_what_cannot_be_exported(served, path, parameters, kind, pointer, status):
    path = path.replace(" ", "%20")
    served[1].problem(status, kind, f"/api/{path}/export", parameters, pointer=pointer)
