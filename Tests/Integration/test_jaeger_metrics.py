# SPDX-License-Identifier: Apache-2.0
"""What Jaeger's Monitor tab asks: rates, errors and latencies over time, beside what was sent over OTLP."""

from datetime import datetime, timezone
import math
import random
import time

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.jaeger import NO_SERVICE
from support.query import QueryAPI
from support.service_calls import duration, make, nearest_rank
from support.service_graph import CLIENT, CONSUMER, INTERNAL, SERVER, requests
from support.waiting import eventually

MINUTE_NS = otlp.MINUTE_NS
MINUTES = 60
KINDS = {"internal": INTERNAL, "server": SERVER, "client": CLIENT, "consumer": CONSUMER}


@pytest.fixture(scope="module")
def begin_ns():
    return time.time_ns() // MINUTE_NS * MINUTE_NS - (MINUTES + 20) * MINUTE_NS


@pytest.fixture(scope="module")
def rows(begin_ns):
    return make(random.Random("jaeger"), begin_ns, MINUTES * MINUTE_NS, 4000)


@pytest.fixture(scope="module")
def query(database, start_server, rows):
    """A daemon that has the spans, and another that has made figures of all of their minutes."""
    server = start_server(database, {"service_map.enabled": "false"})
    with server.channel() as channel:
        export = Export(channel)
        for request in requests(rows):
            export(request)
    settings, api = api_settings()
    start_server(database, settings)
    api.wait_ready()
    with database.connect() as connection:
        eventually(lambda: connection.execute(
            "SELECT sum(span_count) FROM otel_service_figure_minutes").fetchone()[0] == len(rows), "the figures")
    return QueryAPI(api.address)


def asked(begin_ns, **more):
    """A point per two minutes from 10 minutes on, each of the ten minutes before it."""
    end_ns = begin_ns + MINUTES * MINUTE_NS
    return {"endTs": end_ns // 10**6, "lookback": 50 * 60_000, "step": 120_000, "ratePer": 600_000} | more


def points_of(begin_ns):
    return [begin_ns + minute * MINUTE_NS for minute in range(10, 61, 2)]


def get(query, name, parameters):
    """{labels: [(Unix nanoseconds, value), ...]} of a family that has the form of Jaeger's."""
    answer = query.get(f"/jaeger/api/metrics/{name}", parameters)
    assert answer["type"] == "GAUGE" and answer["help"]
    found = {}
    for metric in answer["metrics"]:
        key = tuple(label["value"] for label in metric["labels"])
        found[key] = [(unix_ns(point["timestamp"]), float(point["gaugeValue"]["doubleValue"]))
                      for point in metric["metricPoints"]]
    return answer, found


def unix_ns(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp()) * 10**9


def windows(rows, begin_ns, service, kinds, operation=None):
    """The rows that each point is of. `make` names operations by kind."""
    for point in points_of(begin_ns):
        yield point, [row for row in rows if row.place.service == service and row.kind in kinds
                      and point - 10 * MINUTE_NS <= row.start_ns < point
                      and operation in (None, f"operation {row.kind}")]


def check(points, name, expected):
    assert [moment for moment, _ in points] == [moment for moment, _ in expected]
    for (moment, value), (_, calls) in zip(points, expected):
        if name == "calls":
            assert value == pytest.approx(len(calls) / 600), moment
        elif name == "errors":
            assert value == pytest.approx(sum(row.is_error for row in calls) / len(calls)), moment
        else:
            exact_ms = nearest_rank([duration(row) for row in calls], 0.75) / 1e6
            assert value == pytest.approx(exact_ms, rel=0.046), moment


@pytest.mark.parametrize("name", ["calls", "errors", "latencies"])
@pytest.mark.parametrize("kinds", [(), ("server",), ("server", "consumer"), ("client", "internal")])
def test_services(query, rows, begin_ns, name, kinds):
    """Figures answer for servers and consumers, spans for the others: a client span has a parent."""
    parameters = [*asked(begin_ns, quantile=0.75).items(), ("service", "web"), ("service", "cart"),
                  *(("spanKind", kind) for kind in kinds)]
    answer, found = get(query, name, parameters)
    assert answer["name"] == {"calls": "service_call_rate", "errors": "service_error_rate",
                              "latencies": "service_latencies"}[name]
    assert found.keys() == {("web",), ("cart",)}
    assert [label["name"] for metric in answer["metrics"] for label in metric["labels"]] == 2 * ["service_name"]
    numbers = [KINDS[kind] for kind in kinds or ("server",)]
    for service, in found:
        check(found[service,], name, list(windows(rows, begin_ns, service, numbers)))


@pytest.mark.parametrize("name", ["calls", "errors", "latencies"])
def test_operations(query, rows, begin_ns, name):
    parameters = asked(begin_ns, quantile=0.75, service="cart", groupByOperation="true")
    answer, found = get(query, name, [*parameters.items(), ("spanKind", "server"), ("spanKind", "client")])
    assert answer["name"].startswith("service_operation_")
    assert [label["name"] for label in answer["metrics"][0]["labels"]] == ["operation", "service_name"]
    assert found.keys() == {(f"operation {kind}", "cart") for kind in (SERVER, CLIENT)}
    for operation, service in found:
        check(found[operation, service], name,
              list(windows(rows, begin_ns, service, (SERVER, CLIENT), operation)))


def test_a_service_without_a_name(query, rows, begin_ns):
    _, found = get(query, "calls", asked(begin_ns, service=NO_SERVICE))
    check(found[NO_SERVICE,], "calls", list(windows(rows, begin_ns, "", [SERVER])))


def test_figures_are_where_it_comes_from(query, database, begin_ns):
    """Calls that were never made, in the figures alone."""
    def total(**more):
        _, found = get(query, "calls", asked(begin_ns, service="web", **more))
        return sum(value for points in found.values() for _, value in points)
    before, operations = total(), total(groupByOperation="true")
    with database.connect() as connection:
        connection.execute("UPDATE otel_service_figures SET call_count = 2 * call_count")
        try:
            assert total() == pytest.approx(2 * before)
            assert total(groupByOperation="true") == operations
            # A minute without figures is answered out of its spans.
            connection.execute("CREATE TABLE kept AS SELECT * FROM otel_service_figure_minutes")
            connection.execute("DELETE FROM otel_service_figure_minutes")
            assert total() == pytest.approx(before)
            connection.execute("INSERT INTO otel_service_figure_minutes SELECT * FROM kept")
        finally:
            connection.execute("UPDATE otel_service_figures SET call_count = call_count / 2")


def test_the_newest_minutes_are_there_before_their_figures(query, database, start_server):
    """What Jaeger UI asks: the last hour until now, by its own numbers."""
    # By a clock that is ahead, so that the minute has no figures for as long as this takes.
    now_ns = (time.time_ns() // MINUTE_NS + 3) * MINUTE_NS
    row = make(random.Random("now"), now_ns - MINUTE_NS, MINUTE_NS, 1)[0]
    row.kind, row.place = SERVER, row.place.__class__("", "", "newest", 1)
    server = start_server(database, {"service_map.enabled": "false"})
    with server.channel() as channel:
        Export(channel)(requests([row])[0])
    parameters = {"service": "newest", "endTs": now_ns // 10**6, "lookback": 3_600_000, "step": 60_000,
                  "ratePer": 600_000, "quantile": 0.95}
    _, found = get(query, "calls", parameters)
    assert len(found["newest",]) == 61 and found["newest",][-1][1] == pytest.approx(1 / 600)
    assert found["newest",][0][1] == 0
    _, found = get(query, "latencies", parameters)
    assert math.isnan(found["newest",][0][1])
    assert found["newest",][-1][1] == pytest.approx(duration(row) / 1e6, rel=0.046)


def test_limits_are_no_errors(query, begin_ns):
    """A range that is too long is cut, a step that is too short made longer."""
    parameters = {"service": "web", "endTs": begin_ns // 10**6, "lookback": 10**12, "step": 1, "ratePer": 1}
    _, found = get(query, "calls", parameters | {"groupByOperation": "1"})
    assert found == {} or max(map(len, found.values())) <= 2001
    _, found = get(query, "calls", asked(begin_ns, service="web", step=1))
    assert len(found["web",]) == 51


def test_the_shortest_step(query):
    answer = query.get("/jaeger/api/metrics/minstep")
    assert (answer["data"], answer["errors"]) == (60_000, None)


@pytest.mark.parametrize("path", [
    "calls", "calls?service=", "latencies?service=a", "latencies?service=a&quantile=0", "latencies?service=a&quantile=2",
    "latencies?service=a&quantile=nan", "errors?service=a&spanKind=other", "errors?service=a&groupByOperation=maybe",
    "calls?service=a&step=x", "calls?service=a&endTs=-1", "calls?" + "&".join(21 * ["service=a"])])
def test_what_is_wrong(query, path):
    answer = query.request(f"/jaeger/api/metrics/{path}")
    assert answer.status == 400 and answer.json["data"] is None and answer.json["errors"][0]["code"] == 400


def test_unknown_metrics(query):
    assert query.request("/jaeger/api/metrics/other?service=a").status == 404
