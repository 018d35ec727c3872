# SPDX-License-Identifier: Apache-2.0
"""Metrics over the query API: names, labels, aggregation, quantiles, exemplars; beside what was sent."""

from collections import defaultdict
import math
import random

import pytest

from conftest import Export
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from support import otlp
from support.api import api_settings
from support.query import QueryAPI

SECOND_NS = 10**9
BEGIN_NS = otlp.BASE_NS
STEP_NS = 60 * SECOND_NS
STEPS = 10
END_NS = BEGIN_NS + STEPS * STEP_NS
RANGE = {"start_time": BEGIN_NS, "end_time": END_NS}
DELTA, CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA, \
    AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
BOUNDS = [1.0, 2.0, 5.0, 10.0, 50.0]
HOSTS, ROUTES = ("a", "b"), ("/x", "/y", 7)


class World:
    """Random points of every kind, and the increments that they were made from."""

    def __init__(self):
        self.random = random.Random("metrics")
        self.metrics = defaultdict(list)
        self.gauges = []  # host, route, time, value
        self.increments = []  # host, route, time, increment; of sums, cumulative with a reset
        self.values = []  # host, route, time, value; of histograms
        for host in HOSTS:
            for route in ROUTES:
                self._series(host, route)

    def _series(self, host, route):
        rand = self.random
        times = sorted(rand.sample(range(BEGIN_NS, END_NS, SECOND_NS), 60))
        attributes = otlp.attributes(route=route)
        gauge, cumulative, delta = Metric(name="world.gauge", unit="By"), Metric(name="world.sum"), \
            Metric(name="world.delta")
        cumulative.sum.aggregation_temporality, delta.sum.aggregation_temporality = CUMULATIVE, DELTA
        cumulative.sum.is_monotonic = delta.sum.is_monotonic = True
        total, start = 0, BEGIN_NS - SECOND_NS
        for number, time_ns in enumerate(times):
            value = rand.uniform(-10, 10)
            self.gauges.append((host, route, time_ns, value))
            gauge.gauge.data_points.add(time_unix_nano=time_ns, as_double=value, attributes=attributes)
            increment = rand.randint(1, 9)
            self.increments.append((host, route, time_ns, increment))
            if number == 30:  # A reset that only the value shows.
                total = 0
            if number == 45:  # One with another start.
                total, start = 0, times[number - 1] + 1
            total += increment if number != 30 else 0
            if number == 30:
                self.increments[-1] = (host, route, time_ns, 0)
            cumulative.sum.data_points.add(time_unix_nano=time_ns, start_time_unix_nano=start, as_int=total,
                                           attributes=attributes)
            delta.sum.data_points.add(time_unix_nano=time_ns, start_time_unix_nano=start,
                                      as_int=self.increments[-1][3], attributes=attributes)
        self.metrics[host] += [gauge, cumulative, delta]
        for temporality in (DELTA, CUMULATIVE):
            self._histograms(host, route, times, temporality, attributes)

    def _histograms(self, host, route, times, temporality, attributes):
        suffix = "delta" if temporality == DELTA else "cumulative"
        explicit, exponential = Metric(name=f"world.explicit.{suffix}"), Metric(name=f"world.exponential.{suffix}")
        explicit.histogram.aggregation_temporality = exponential.exponential_histogram.aggregation_temporality = \
            temporality
        rand = random.Random(f"{host}{route}")
        counts, buckets, seen, zero = [0] * 6, [0] * 80, [], 0
        for time_ns in times:
            values = [rand.choice([0.0, 10 ** rand.uniform(-0.5, 1.8)]) for _ in range(rand.randint(0, 8))]
            if temporality == DELTA:
                self.values += [(host, route, time_ns, value) for value in values]
                counts, buckets, seen, zero = [0] * 6, [0] * 80, [], 0
            seen = seen + values
            for value in values:
                counts[sum(bound < value for bound in BOUNDS)] += 1
                if value == 0:
                    zero += 1
                else:
                    buckets[math.ceil(math.log2(value) * 8) - 1 + 16] += 1
            common = {"time_unix_nano": time_ns, "start_time_unix_nano": BEGIN_NS - SECOND_NS, "count": len(seen),
                      "sum": sum(seen), "attributes": attributes}
            explicit.histogram.data_points.add(bucket_counts=counts, explicit_bounds=BOUNDS, **common)
            point = exponential.exponential_histogram.data_points.add(scale=3, zero_count=zero, **common)
            point.positive.offset = -16
            point.positive.bucket_counts.extend(buckets)
        self.metrics[host] += [explicit, exponential]


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def query(database, start_server, world):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    with server.channel() as channel:
        export = Export(channel)
        for host, metrics in world.metrics.items():
            resource = otlp.request("metrics").resource_metrics[0].resource
            del resource.attributes[:]
            resource.attributes.extend(otlp.attributes(service__name=f"svc-{host}", host__name=host))
            export(otlp.request("metrics", metrics, resource=resource))
        summary = Metric(name="world.summary")
        for value in (1.0, 3.0):
            point = summary.summary.data_points.add(time_unix_nano=BEGIN_NS + int(value), count=4, sum=8.0)
            point.quantile_values.add(quantile=0.5, value=value)
            point.quantile_values.add(quantile=0.99, value=value * 10)
        exemplary = Metric(name="world.exemplary")
        point = exemplary.gauge.data_points.add(time_unix_nano=BEGIN_NS, as_int=1)
        for number in range(3):
            point.exemplars.add(time_unix_nano=BEGIN_NS + number, as_double=number + 0.5,
                                trace_id=otlp.trace_id(number + 1), span_id=otlp.span_id(number + 1),
                                filtered_attributes=otlp.attributes(user=number))
        export(otlp.request("metrics", [summary, exemplary]))
    yield QueryAPI(api.address)
    assert server.daemon.stop() == 0


def series(query, metric, **asked):
    """{labels: {step: value}} of an answer without warnings."""
    answer = query.get(f"/api/metrics/{metric}/series", RANGE | {"step": "60s"} | asked)
    assert answer["warnings"] == [] and answer["step_nanos"] == str(STEP_NS)
    found = {}
    for one in answer["series"]:
        key = tuple(one["labels"].values())
        assert key not in found
        found[key] = {(int(point["time_unix_nano"]) - BEGIN_NS) // STEP_NS: point["value"] for point in one["points"]}
        assert len(found[key]) == len(one["points"])
    return found


def grouped(items, key):
    """{labels: {step: [(series, time, value), ...]}}"""
    found = defaultdict(lambda: defaultdict(list))
    for host, route, time_ns, value in items:
        found[key(host, str(route))][(time_ns - BEGIN_NS) // STEP_NS].append(((host, route), time_ns, value))
    return found


GROUPS = [("", lambda host, route: ()), ("datapoint.route", lambda host, route: (route,)),
          ("resource.host.name,datapoint.route", lambda host, route: (host, route)),
          ("service", lambda host, route: (f"svc-{host}",))]


def last_of_each(points):
    newest = {}
    for key, time_ns, value in sorted(points, key=lambda point: point[1]):
        newest[key] = value
    return newest.values()


GAUGE = {"avg": lambda points: sum(value for *_, value in points) / len(points),
         "min": lambda points: min(value for *_, value in points),
         "max": lambda points: max(value for *_, value in points),
         "count": len, "sum": lambda points: sum(last_of_each(points)),
         "last": lambda points: max(points, key=lambda point: (point[1], point[0][0], str(point[0][1])))[2]}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for labels, steps in expected.items():
        assert found[labels].keys() == steps.keys(), labels
        for step, value in steps.items():
            assert found[labels][step] == pytest.approx(value, rel=1e-9, abs=1e-9), (labels, step)


# Of points of several series at the same time any is the last, so that one is asked of single series.
ASKED = [(aggregation, *group) for aggregation in GAUGE for group in GROUPS
         if aggregation != "last" or group[0].count(",") == 1]


@pytest.mark.parametrize("aggregation, group_by, key", ASKED)
def test_gauges(query, world, aggregation, group_by, key):
    expected = {labels: {step: GAUGE[aggregation](points) for step, points in steps.items()}
                for labels, steps in grouped(world.gauges, key).items()}
    assert_same(series(query, "world.gauge", aggregation=aggregation, group_by=group_by), expected)


@pytest.mark.parametrize("group_by, key", GROUPS)
@pytest.mark.parametrize("metric", ["world.sum", "world.delta"])
@pytest.mark.parametrize("aggregation", ["increase", "rate"])
def test_sums(query, world, metric, aggregation, group_by, key):
    """Cumulative with two resets, and delta: both were made from the same increments."""
    scale = 60 if aggregation == "rate" else 1
    expected = {labels: {step: sum(value for *_, value in points) / scale for step, points in steps.items()}
                for labels, steps in grouped(world.increments, key).items()}
    assert_same(series(query, metric, aggregation=aggregation, group_by=group_by), expected)


def quantile(intervals, share):
    """Where the sum of evenly spread intervals (lower, upper, count) reaches the share of all: by bisection."""
    rank = share * sum(count for *_, count in intervals)

    def below(bound):
        return sum(count * (1.0 if upper <= bound else 0.0 if lower > bound else (bound - lower) / (upper - lower))
                   for lower, upper, count in intervals)
    low, high = min(lower for lower, *_ in intervals), max(upper for _, upper, _ in intervals)
    if below(low) >= rank:
        return low
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if below(middle) >= rank else (middle, high)
    return high


def explicit_interval(value):
    place = sum(bound < value for bound in BOUNDS)
    return ([0.0, *BOUNDS][place], [*BOUNDS, BOUNDS[-1]][place])


def exponential_interval(value):
    if value == 0:
        return (0.0, 0.0)
    index = math.ceil(math.log2(value) * 8) - 1
    return (2 ** (index / 8), 2 ** ((index + 1) / 8))


@pytest.mark.parametrize("group_by, key", GROUPS)
@pytest.mark.parametrize("temporality", ["delta", "cumulative"])
@pytest.mark.parametrize("kind, interval", [("explicit", explicit_interval), ("exponential", exponential_interval)])
@pytest.mark.parametrize("share", [50, 90, 99])
def test_quantiles(query, world, kind, interval, temporality, group_by, key, share):
    found = series(query, f"world.{kind}.{temporality}", aggregation=f"p{share}", group_by=group_by)
    expected = grouped(world.values, key)
    assert found.keys() == expected.keys()
    for labels, steps in expected.items():
        assert found[labels].keys() == steps.keys()
        for step, points in steps.items():
            intervals = [(*interval(value), 1) for *_, value in points]
            assert found[labels][step] == pytest.approx(quantile(intervals, share / 100), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("kind", ["explicit", "exponential"])
@pytest.mark.parametrize("temporality", ["delta", "cumulative"])
def test_counts_and_means_of_histograms(query, world, kind, temporality):
    steps = grouped(world.values, lambda host, route: (host,))
    metric, by_host = f"world.{kind}.{temporality}", {"group_by": "resource.host.name"}
    for aggregation, value in {
            "count": lambda points: len(points), "rate": lambda points: len(points) / 60,
            "sum": lambda points: sum(value for *_, value in points),
            "avg": lambda points: sum(value for *_, value in points) / len(points)}.items():
        expected = {labels: {step: value(points) for step, points in found.items()} for labels, found in steps.items()}
        found = {labels: {step: value for step, value in points.items() if value is not None and (
            value or step in expected[labels])} for labels, points in series(
                query, metric, aggregation=aggregation, **by_host).items()}
        assert_same(found, expected)


def test_summaries(query):
    assert series(query, "world.summary", aggregation="p50") == {(): {0: 3.0}}
    assert series(query, "world.summary", aggregation="p99") == {(): {0: 30.0}}
    assert series(query, "world.summary", aggregation="p75") == {(): {}} or not series(
        query, "world.summary", aggregation="p75")


def test_filters(query, world):
    """The same filter as parameters and in a body."""
    expected = {labels: {step: len(points) for step, points in steps.items()} for labels, steps in grouped(
        [item for item in world.gauges if item[0] == "a" and item[1] == "/x"], lambda host, route: ()).items()}
    parameters = {"aggregation": "count", "service": "svc-a", "attr.route": "/x"}
    assert_same(series(query, "world.gauge", **parameters), expected)
    body = {"metric": "world.gauge", "aggregation": "count", "step": "60s",
            "time_range": {"start_time": str(BEGIN_NS), "end_time": END_NS},
            "filters": [{"field": "resource.host.name", "operator": "eq", "value": "a"},
                        {"field": "datapoint.route", "operator": "in", "value": ["/x", "/z"]}]}
    asked = query.get("/api/metrics/world.gauge/series", RANGE | {"step": "60s"} | parameters)
    assert query.get("/api/metrics/search", body=body) == asked
    assert query.get("/api/metrics/world.gauge/series", body={
        name: value for name, value in body.items() if name != "metric"}) == asked


def test_the_list(query, world):
    answer = query.get("/api/metrics", {"prefix": "world."})
    names = [metric["name"] for metric in answer["metrics"]]
    assert names == sorted({metric.name for metrics in world.metrics.values() for metric in metrics}
                           | {"world.summary", "world.exemplary"})
    by_name = {metric["name"]: metric for metric in answer["metrics"]}
    assert (by_name["world.gauge"]["type"], by_name["world.gauge"]["unit"]) == ("gauge", "By")
    assert (by_name["world.sum"]["temporality"], by_name["world.sum"]["is_monotonic"]) == ("CUMULATIVE", True)
    assert by_name["world.explicit.delta"]["temporality"] == "DELTA"
    pages, cursor = [], None
    while True:
        page = query.get("/api/metrics", {"prefix": "world.", "limit": 2} | ({"cursor": cursor} if cursor else {}))
        pages += page["metrics"]
        cursor = page["pagination"]["next_cursor"]
        assert page["pagination"]["has_more"] == (cursor is not None)
        if cursor is None:
            break
    assert pages == answer["metrics"]
    first = query.get("/api/metrics", {"limit": 1})["pagination"]["next_cursor"]
    query.problem(400, "cursor-mismatch", "/api/metrics", {"prefix": "w", "cursor": first})


def test_labels(query):
    labels = query.get("/api/metrics/world.gauge/labels")["labels"]
    assert labels == [{"label": label, "series_count": 6}
                      for label in ("datapoint.route", "resource.host.name", "resource.service.name")]
    values = query.get("/api/metrics/world.gauge/labels/datapoint.route/values")["values"]
    assert values == [{"value": value, "series_count": 2} for value in ("/x", "/y", "7")]
    values = query.get("/api/metrics/world.gauge/labels/datapoint.route/values", {"prefix": "/", "limit": 1})
    assert values["values"] == [{"value": "/x", "series_count": 2}] and values["warnings"]
    assert [one["value"] for one in query.get("/api/metrics/world.gauge/labels/service/values")["values"]] == [
        "svc-a", "svc-b"]


def test_exemplars(query):
    answer = query.get("/api/metrics/world.exemplary/exemplars", RANGE)
    assert [(one["time_unix_nano"], one["value"], one["trace_id"], one["span_id"], one["attributes"])
            for one in answer["exemplars"]] == [
        (str(BEGIN_NS + number), number + 0.5, otlp.trace_id(number + 1).hex(), otlp.span_id(number + 1).hex(),
         {"user": number}) for number in (2, 1, 0)]
    capped = query.get("/api/metrics/world.exemplary/exemplars", RANGE | {"limit": 2})
    assert len(capped["exemplars"]) == 2 and capped["warnings"]


def test_bounds(query):
    answer = query.get("/api/metrics/world.gauge/series", RANGE | {"step": "1ms"})
    assert int(answer["step_nanos"]) == STEPS * STEP_NS // 2000 and answer["warnings"]
    answer = query.get("/api/metrics/world.gauge/series", RANGE | {"group_by": "datapoint.route", "limit": 2})
    assert len(answer["series"]) == 2 and answer["warnings"]


def test_what_is_wrong(query):
    path = "/api/metrics/world.gauge/series"
    query.problem(404, "not-found", "/api/metrics/none/series", RANGE)
    query.problem(404, "not-found", path, RANGE | {"type": "sum"})
    query.problem(400, "invalid-parameter", path, pointer="start_time")
    query.problem(400, "invalid-parameter", path, RANGE | {"aggregation": "p50"}, pointer="aggregation")
    query.problem(400, "invalid-parameter", path, RANGE | {"aggregation": "mean"}, pointer="aggregation")
    query.problem(400, "invalid-parameter", path, RANGE | {"group_by": "route"}, pointer="group_by")
    query.problem(400, "invalid-parameter", path, RANGE | {"step": "0s"}, pointer="step")
    query.problem(400, "invalid-parameter", path, RANGE | {"limit": 0}, pointer="limit")
    query.problem(400, "invalid-filter", path, body={
        "time_range": RANGE, "filters": [{"field": "service", "operator": "regex", "value": "("}]})
    query.problem(400, "invalid-parameter", "/api/metrics/search", body={"time_range": {"start_time": "now-1h"}},
                  pointer="/metric")
    query.problem(400, "invalid-filter", "/api/metrics/search", body={
        "metric": "world.gauge", "time_range": {"start_time": "now-1h"},
        "filters": [{"field": "span.a", "operator": "eq", "value": 1}]}, pointer="/filters/0/field")
