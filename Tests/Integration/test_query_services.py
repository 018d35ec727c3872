# SPDX-License-Identifier: Apache-2.0
"""GET /api/services and /api/service-map, beside figures that are computed from what was sent."""

from collections import defaultdict
import random
import time

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.query import QueryAPI
from support.service_calls import QUANTILES, nearest_rank
from support.service_graph import CONSUMER, SERVER, Traces, edges, requests
from support.waiting import eventually

MINUTE_NS = otlp.MINUTE_NS


@pytest.fixture(scope="module")
def rows():
    begin_ns = time.time_ns() // MINUTE_NS * MINUTE_NS - 40 * MINUTE_NS
    return Traces(random.Random("services"), begin_ns, 4 * MINUTE_NS).make(400)


@pytest.fixture(scope="module")
def query(database, start_server, rows):
    """A daemon that has the spans, and another that has made a map of them."""
    server = start_server(database, {"service_map.enabled": "false"})
    with server.channel() as channel:
        export = Export(channel)
        for request in requests(rows):
            export(request)
    settings, api = api_settings()
    start_server(database, {"log.level": "debug"} | settings)
    api.wait_ready()
    with database.connect() as connection:
        last = max(row.start_ns for row in rows) // MINUTE_NS * 60
        eventually(lambda: connection.execute(
            "SELECT count(*) > 0 FROM otel_service_edge_minutes WHERE minute = to_timestamp(%s)",
            (min(row.start_ns for row in rows) // MINUTE_NS * 60,)).fetchone()[0], f"the map up to {last}")
    return QueryAPI(api.address)


def span_range(rows, minutes=0):
    begin = min(row.start_ns for row in rows) // MINUTE_NS * MINUTE_NS
    end = (max(row.start_ns for row in rows) // MINUTE_NS + 1) * MINUTE_NS
    return {"start_time": begin + minutes * MINUTE_NS, "end_time": end}


@pytest.mark.parametrize("later", [0, 2])
def test_figures_of_services(query, rows, later):
    asked = span_range(rows, later)
    expected = defaultdict(list)
    for row in rows:
        if asked["start_time"] <= row.start_ns < asked["end_time"] and (
                row.kind in (SERVER, CONSUMER) or not row.parent_id):
            expected[row.place.service or None, row.place.namespace or None].append(row)
    answer = query.get("/api/services", asked)
    assert answer["warnings"] == []
    found = {(one["service"], one["namespace"]): one for one in answer["services"]}
    assert found.keys() == expected.keys()
    assert [one["calls"] for one in answer["services"]] == sorted(map(len, expected.values()), reverse=True)
    seconds = (asked["end_time"] - asked["start_time"]) / 1e9
    for key, spans in expected.items():
        one = found[key]
        durations = [max(0, span.end_ns - span.start_ns) for span in spans]
        assert (one["calls"], one["errors"]) == (len(spans), sum(span.is_error for span in spans))
        assert one["error_rate"] == pytest.approx(one["errors"] / one["calls"])
        assert one["calls_per_second"] == pytest.approx(one["calls"] / seconds)
        assert not one["is_estimate"]
        for name, share in QUANTILES.items():
            assert one[name] == str(nearest_rank(durations, share))


@pytest.mark.parametrize("service", [None, "cart"])
def test_the_map(query, rows, service):
    asked = span_range(rows)
    expected = defaultdict(list)
    for (_, _, kind, *sides), calls in edges(rows).items():
        if service is None or service in (sides[1], sides[3]):
            expected[kind, *sides].extend(calls)
    answer = query.get("/api/service-map", asked | ({"service": service} if service else {}))
    assert answer["warnings"] == []
    nodes = {node["id"]: node for node in answer["nodes"]}
    found = {}
    incoming = defaultdict(lambda: [0, 0])
    for edge in answer["edges"]:
        client, server = nodes[edge["client"]], nodes[edge["server"]]
        assert client["type"] == "service"
        assert server["type"] == ("service" if edge["kind"] in ("call", "message") else edge["kind"])
        found[edge["kind"], client["namespace"], client["name"], server["namespace"], server["name"]] = edge
        incoming[edge["server"]][0] += edge["calls"]
        incoming[edge["server"]][1] += edge["errors"]
    assert found.keys() == expected.keys() and len(found) == len(answer["edges"])
    for key, calls in expected.items():
        edge, durations = found[key], [duration for duration, _ in calls]
        assert (edge["calls"], edge["errors"]) == (len(calls), sum(is_error for _, is_error in calls))
        assert edge["mean_nanos"] == pytest.approx(sum(durations) / len(durations), rel=1e-9)
        for name, share in QUANTILES.items():
            exact = nearest_rank(durations, share)
            if exact > 1024:
                assert int(edge[name]) == pytest.approx(exact, rel=0.046), key
            else:
                assert int(edge[name]) < 1024
    for name, node in nodes.items():
        assert [node["calls"], node["errors"]] == incoming[name]


def test_the_map_says_until_when_it_is_complete(query):
    now_ns = time.time_ns()
    answer = query.get("/api/service-map", {"start_time": "now-1h", "end_time": "now"})
    assert int(answer["complete_until_unix_nano"]) <= now_ns - MINUTE_NS
    assert any("complete_until_unix_nano" in warning for warning in answer["warnings"])


def test_a_hole_in_the_map_is_where_it_is_complete_until(query, database):
    """Minutes of tomorrow, of which nobody takes any out or puts any in."""
    day_ns = 24 * 60 * MINUTE_NS
    begin_ns = (time.time_ns() // day_ns + 1) * day_ns
    with database.connect() as connection:
        for minute in (0, 1, 3, 4):
            connection.execute("INSERT INTO otel_service_edge_minutes VALUES (otel_time(%s), now(), false, 0, 0, 0)",
                               [begin_ns + minute * MINUTE_NS])

    def complete_until(first, last):
        answer = query.get("/api/service-map", {"start_time": str(begin_ns + first * MINUTE_NS),
                                                "end_time": str(begin_ns + last * MINUTE_NS)})
        until, rest = divmod(int(answer["complete_until_unix_nano"]) - begin_ns, MINUTE_NS)
        assert not rest and bool(answer["warnings"]) == (until < last)
        return until
    assert complete_until(0, 5) == 2
    assert complete_until(0, 2) == 2
    assert complete_until(2, 5) == 2, "a range that begins with a hole"
    assert complete_until(3, 5) == 5
    assert complete_until(5, 6) == 5, "a range of which nothing is known"


@pytest.mark.parametrize("path", ["/api/services", "/api/service-map"])
def test_what_is_wrong(query, path):
    query.problem(400, "invalid-parameter", path, pointer="start_time")
    query.problem(400, "invalid-parameter", path, {"start_time": "yesterday"}, pointer="start_time")
    query.problem(400, "invalid-parameter", path, {"start_time": "now", "end_time": "now-1h"})
    query.problem(400, "invalid-parameter", path, {"start_time": "now-1h", "limits": 3}, pointer="limits")
    query.problem(422, "range-too-wide", path, {"start_time": 0})


def store_copies(connection, resource, begin_ns, count):
    """`count` spans like one of the resource without a parent, a millisecond apart; each tenth is an error."""
    names = [name for name, in connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'otel_spans_fact' "
        "AND table_schema = 'public' ORDER BY ordinal_position")]
    different = {"start_time_unix_nano": f"{begin_ns} + n::bigint * 1000000",
                 "end_time_unix_nano": f"{begin_ns} + n::bigint * 1000000 + 1000 + n %% 1000 * 1000",
                 "status_code_id": "CASE WHEN n %% 10 = 0 THEN 2 END", "span_id": "n"}
    values = ", ".join(different.get(name, f'"{name}"') for name in names)
    connection.execute(f"""
        INSERT INTO otel_spans_fact ({', '.join(f'"{name}"' for name in names)})
        SELECT {values} FROM generate_series(0, %s) AS n CROSS JOIN (SELECT * FROM otel_spans_fact
            WHERE resource_id = %s AND parent_span_id IS NULL LIMIT 1) AS model""", [count - 1, resource])


def test_more_spans_than_are_read(query, database):
    """The newest of a busy process stand for its others; figures of another are exact."""
    begin_ns, count = (time.time_ns() // MINUTE_NS + 60) * MINUTE_NS, 1_000_100
    with database.connect() as connection:
        (busy, busy_name), (quiet, quiet_name) = connection.execute(
            "SELECT max(resource_id), service_name FROM otel_spans_fact JOIN otel_resources_dim USING (resource_id) "
            "WHERE parent_span_id IS NULL AND service_name <> '' GROUP BY 2 ORDER BY 2 LIMIT 2").fetchall()
        store_copies(connection, busy, begin_ns, count)
        store_copies(connection, quiet, begin_ns, 7)
    answer = query.get("/api/services", {"start_time": begin_ns, "end_time": begin_ns + count * 1_000_000})
    assert any("is_estimate" in warning for warning in answer["warnings"])
    found = {one["service"]: one for one in answer["services"]}
    assert found.keys() == {busy_name, quiet_name}
    assert found[busy_name]["is_estimate"] and not found[quiet_name]["is_estimate"]
    assert found[busy_name]["calls"] == pytest.approx(count, rel=0.01)
    assert found[busy_name]["errors"] == pytest.approx(count / 10, rel=0.01)
    assert int(found[busy_name]["p95_nanos"]) == pytest.approx(950_000, rel=0.046)
    assert (found[quiet_name]["calls"], found[quiet_name]["errors"]) == (7, 1)
