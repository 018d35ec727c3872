# SPDX-License-Identifier: Apache-2.0
"""More distinct things than caches hold and dictionaries take: all is stored, memory stays bounded."""

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from support import otlp, rebuild, rebuild_metrics
from support.normal import assert_same, merge
from support.otlp import attributes
from support.rawcall import assert_healthy

RESOURCE_COUNT = 6_000  # a writer's cache holds 4,096
SERIES_COUNT = 12_000
NAME_COUNT = 40_000  # a writer's cache holds 32,768
MISSING_COUNT = 9_000  # one round of new dimensions takes 8,192
NAME_SIZE_BYTES_MAX = 256


@pytest.fixture(autouse=True)
def healthy(starling):
    yield
    assert_healthy(starling)


def accepted(export, request):
    assert export(request, timeout=120).SerializeToString() == b""
    return request


def test_resources_and_scopes(export, db):
    """Each twice, so that what the cache let go of is found in the database again."""
    def part(number):
        return otlp.request("logs", resource=Resource(attributes=attributes(instance=number)),
                            scope=InstrumentationScope(name=f"scope {number}"))
    parts = [part(number % RESOURCE_COUNT) for number in range(2 * RESOURCE_COUNT)]
    sent = [accepted(export, merge(parts[start:start + 500])) for start in range(0, len(parts), 500)]
    assert_same(merge(sent), rebuild.logs(db))
    assert db.execute("SELECT count(DISTINCT resource_id), count(DISTINCT scope_id) "
                      "FROM otel_logs_fact").fetchone() == (RESOURCE_COUNT, RESOURCE_COUNT)


def test_more_new_dimensions_in_one_request_than_one_round_takes(export, db):
    names = [f"operation {number}" for number in range(MISSING_COUNT)]
    request = accepted(export, otlp.request("traces", [otlp.span(name=name) for name in names]))
    assert_same(request, rebuild.traces(db))


def test_span_names(export, db):
    """Twice over, more than fit into the cache."""
    for _ in range(2):
        for start in range(0, NAME_COUNT, 8_000):
            accepted(export, otlp.request("traces", [
                otlp.span(name=f"GET /item/{number}") for number in range(start, start + 8_000)]))
    assert db.execute(
        "SELECT count(*), count(DISTINCT coalesce(s.name, o.name)) FROM otel_spans_fact s "
        "LEFT JOIN otel_operations_dim o USING (operation_id)").fetchone() == (2 * NAME_COUNT, NAME_COUNT)


@pytest.mark.parametrize("size", [NAME_SIZE_BYTES_MAX, NAME_SIZE_BYTES_MAX + 1, 100_000])
def test_long_span_names_stand_on_the_row(export, db, size):
    request = accepted(export, otlp.request("traces", [otlp.span(name="n" * size, kind=3)]))
    assert_same(request, rebuild.traces(db))
    assert db.execute("SELECT operation_id IS NULL FROM otel_spans_fact").fetchone() == (size > NAME_SIZE_BYTES_MAX,)


def test_metric_series(export, db):
    metric = otlp.Metric(name="many.series")
    for number in range(SERIES_COUNT):
        metric.gauge.data_points.add(time_unix_nano=otlp.BASE_NS + number, as_int=number,
                                     attributes=attributes(number=number, label=f"value {number}"))
    sent = []
    for _ in range(2):
        sent.append(accepted(export, otlp.request("metrics", [metric])))
        for point in metric.gauge.data_points:
            point.time_unix_nano += SERIES_COUNT
    assert_same(merge(sent), rebuild_metrics.metrics(db))
    assert db.execute("SELECT count(*), count(DISTINCT series_id) "
                      "FROM otel_metrics_data_points_number").fetchone() == (2 * SERIES_COUNT, SERIES_COUNT)


def test_many_attributes(export, db):
    """4,096 attributes of one owner are allowed; values of a megabyte too."""
    pairs = [otlp.attribute(f"key {number}", number) for number in range(4_095)]
    pairs.append(otlp.attribute("large", "x" * (1 << 20)))
    request = otlp.request("traces", [otlp.span(attributes=pairs, events=[{"attributes": pairs}])],
                           resource=Resource(attributes=pairs), scope=InstrumentationScope(attributes=pairs))
    assert_same(accepted(export, request), rebuild.traces(db))


def test_many_events_and_links(export, db):
    span = otlp.span()
    for number in range(3_000):
        span.events.add(time_unix_nano=number, name=f"event {number}")
        span.links.add(trace_id=otlp.trace_id(number + 1), span_id=otlp.span_id(number + 1))
    request = accepted(export, otlp.request("traces", [span]))
    assert_same(request, rebuild.traces(db))


def test_large_histograms(export, db):
    metric = otlp.Metric(name="large.histogram")
    for number in range(5):
        metric.histogram.data_points.add(
            time_unix_nano=otlp.BASE_NS + number, bucket_counts=range(10_001),
            explicit_bounds=[float(bound + number) for bound in range(10_000)])
    assert_same(accepted(export, otlp.request("metrics", [metric])), rebuild_metrics.metrics(db))
