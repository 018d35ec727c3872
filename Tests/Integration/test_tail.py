# SPDX-License-Identifier: Apache-2.0
"""Live tails: every row that is committed meanwhile is shown or counted, once, whoever wrote it and whatever happens."""

import random
import threading
import time

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.query import QueryAPI
from support.tail import TailClient
from support.waiting import eventually
from test_dead_letters import POISON, refusing

NAMES = {"spans": "name", "logs": "body"}
SIGNAL = {"spans": "traces", "logs": "logs"}
SETTINGS = {"query.tail_interval": "50ms", "database.writers": "3"}


class Served:
    def __init__(self, server, api):
        self.server, self.api, self.port = server, api, api.address
        self.query = QueryAPI(api.address)

    def figure(self, name):
        return self.api.metrics()[name]


def start(database, start_server, settings):
    names, api = api_settings()
    server = start_server(database, names | settings)
    api.wait_ready()
    return Served(server, api)


@pytest.fixture(scope="module")
def served(database, start_server):
    served = start(database, start_server, SETTINGS)
    yield served
    assert served.server.daemon.stop() == 0


@pytest.fixture(scope="module")
def other(database, start_server, served):
    """A second daemon on the same database, which only writes."""
    return start_server(database, {"database.writers": "2"})


def item(elements, name):
    """One that begins now: tails show what is new by its own time as well."""
    now = time.time_ns()
    if elements == "spans":
        return otlp.span(name=name, start_time_unix_nano=now, end_time_unix_nano=now + 1000)
    return otlp.log_record(time_unix_nano=now, body=otlp.any_of(name))


def resource(service):
    found = otlp.request("traces").resource_spans[0].resource
    del found.attributes[:]
    found.attributes.extend(otlp.attributes(service__name=service))
    return found


def request(elements, names, service="tail"):
    return otlp.request(SIGNAL[elements], [item(elements, name) for name in names], resource(service))


def send(server, *requests):
    with server.channel() as channel:
        for one in requests:
            Export(channel)(one)


def names_of(tail, elements):
    return [row[NAMES[elements]] for row in tail.rows]


def unique(count=1):
    return [f"row-{otlp.unique()}" for _ in range(count)]


@pytest.mark.parametrize("form", ["application/x-ndjson", "text/event-stream"])
@pytest.mark.parametrize("elements", NAMES)
def test_rows_come_as_searches_show_them(served, elements, form):
    with TailClient(served.port, elements, form=form) as tail:
        assert tail.response.getheader("Content-Type") == form
        names = unique(5)
        send(served.server, request(elements, names))
        tail.wait_count(5)
        assert sorted(names_of(tail, elements)) == sorted(names)
        key = "trace_id" if elements == "spans" else "log_id"
        time = "start_time_unix_nano" if elements == "spans" else "time_unix_nano"
        found = served.query.get(f"/api/{elements}", {"start_time": "now-5m", "service": "tail", "limit": 1000})[elements]
        shown = {row[key]: row for row in found}
        assert tail.rows == [shown[row[key]] for row in tail.rows]
        assert [row[time] for row in tail.rows] == sorted(row[time] for row in tail.rows)
        if form == "text/event-stream":
            assert tail.fields[:2] == ["retry: 1000", ""]


def send_all(servers, requests, thread_count=6):
    """From several connections to each server at once; every answer has to be good."""
    failures = []

    def work(part):
        server = servers[part % len(servers)]
        try:
            with server.channel() as channel:
                export = Export(channel)
                for one in requests[part::thread_count]:
                    export(one)
        except Exception as error:  # for the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(thread_count)]
    for thread in threads:
        thread.start()
    return threads, failures


def join(threads, failures):
    for thread in threads:
        thread.join()
    assert not failures, failures


@pytest.mark.parametrize("elements", NAMES)
def test_rows_of_two_daemons_and_beside_refused_ones_come_once(served, other, db, elements):
    """Where PostgreSQL refuses rows, the others are of subtransactions; snapshots know nothing of those."""
    make = POISON[SIGNAL[elements]][2]
    batches = [unique(random.Random(number).randint(1, 9)) for number in range(120)]
    requests = []
    for number, names in enumerate(batches):
        items = [item(elements, name) for name in names]
        if number % 3 == 0:
            items[len(items) // 2:len(items) // 2] = [make(), make()]
        requests.append(otlp.request(SIGNAL[elements], items, resource("tail")))
    with TailClient(served.port, elements, {"service": "tail"}) as tail, refusing(db, [SIGNAL[elements]]):
        join(*send_all([served.server, other], requests))
        expected = sorted(name for names in batches for name in names)
        tail.wait_count(len(expected))
        assert sorted(names_of(tail, elements)) == expected
        # Nothing comes behind: what is sent next comes next.
        [last] = unique()
        send(served.server, request(elements, [last]))
        tail.wait_count(len(expected) + 1)
        assert names_of(tail, elements)[-1] == last


def test_filters_are_those_of_searches(served):
    shop, bank = f"shop-{otlp.unique()}", f"bank-{otlp.unique()}"
    conditions = [{}, {"service": shop}, {"filter": "name=row-x"}, {"resource.service.name": bank, "kind": "INTERNAL"},
                  {"filters": '[{"field": "name", "operator": "contains", "value": "row-"}]', "service": bank}]
    tails = [TailClient(served.port, "spans", condition) for condition in conditions]
    send(served.server, request("spans", ["row-x", "row-y"], shop), request("spans", ["row-x", "z"], bank))
    for tail, expected in zip(tails, [["row-x", "row-x", "row-y", "z"], ["row-x", "row-y"], ["row-x", "row-x"], [],
                                      ["row-x"]]):
        tail.wait_count(len(expected))
        assert sorted(names_of(tail, "spans")) == expected
        tail.close()


@pytest.mark.parametrize("form", ["application/x-ndjson", "text/event-stream"])
@pytest.mark.parametrize("elements", NAMES)
def test_who_comes_back_misses_and_repeats_nothing(served, other, elements, form):
    """Cut off again and again, in the midst of what one look found as well."""
    batches = [unique(8) for _ in range(100)]
    expected = sorted(name for names in batches for name in names)
    dice = random.Random(form)
    seen, place = [], None
    with TailClient(served.port, elements, form=form).wait_begin() as tail:
        place = tail.places[-1]
    threads, failures = send_all([served.server, other], [request(elements, names) for names in batches])
    while len(seen) < len(expected):
        again = {"Last-Event-ID": place} if form == "text/event-stream" else {}
        parameters = {} if again else {"cursor": place}
        with TailClient(served.port, elements, parameters, form, **again) as tail:
            wanted = min(dice.randint(1, 60), len(expected) - len(seen))
            eventually(lambda: len(tail.rows) >= wanted, f"{wanted} of {len(expected) - len(seen)} rows")
        # As a client that was cut off: all that had been read counts, up to a place of its choice.
        end = dice.choice([number for number, event in enumerate(tail.events) if event[2]])
        seen += [data[NAMES[elements]] for name, data, _ in tail.events[:end + 1] if name == "row"]
        assert tail.lags == []
        place = tail.events[end][2]
    join(threads, failures)
    assert sorted(seen) == expected


def test_who_does_not_read_is_told_how_much_was_skipped(served):
    names = unique(12_000)
    with TailClient(served.port, "logs", is_reading=False) as tail:
        before = served.figure('starling_tail_rows_total{outcome="skipped"}')
        for start_index in range(0, len(names), 500):
            padded = [f"{name} {'x' * 1000}" for name in names[start_index:start_index + 500]]
            send(served.server, request("logs", padded))
        eventually(lambda: served.figure('starling_tail_rows_total{outcome="skipped"}') > before, "rows to be skipped")
        tail.go_on()
        tail.wait_count(len(names))
        shown = [body.split()[0] for body in names_of(tail, "logs")]
        assert len(set(shown)) == len(shown) < len(names) and set(shown) <= set(names)
        # The newest are shown.
        assert shown[-1] == names[-1]


def test_more_than_one_look_shows_are_counted(served):
    names = unique(3_000)
    with TailClient(served.port, "spans") as tail:
        send(served.server, request("spans", names))
        tail.wait_count(3_000)
        shown = names_of(tail, "spans")
        # The newest of each look, and the request may be stored in several transactions.
        assert len(set(shown)) == len(shown) < 3_000 and set(shown) <= set(names) and shown[-1] == names[-1]


def test_idle_tails_share_one_session_and_read_nothing(served, db):
    def sessions():
        return db.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'tail'").fetchone()[0]

    eventually(lambda: sessions() == 0 and served.figure("starling_tails") == 0, "those before to be gone")
    tails = [TailClient(served.port, sorted(NAMES)[number % 2], {"service": f"idle-{number}"}) for number in range(100)]
    try:
        assert all(tail.response.status == 200 for tail in tails)
        assert served.figure("starling_tails") == 100
        problem = served.query.problem(503, "too-many-queries", "/api/logs/tail")
        assert "query.tails_max" in problem["detail"] and problem["retry_after"] > 0
        reads, looks = served.figure("starling_tail_reads_total"), served.figure("starling_tail_looks_total")
        eventually(lambda: served.figure("starling_tail_looks_total") >= looks + 20, "looks")
        assert served.figure("starling_tail_reads_total") == reads
        assert sessions() == 1
    finally:
        for tail in tails:
            tail.close()
    eventually(lambda: sessions() == 0 and served.figure("starling_tails") == 0, "the session to be given back")


def test_what_was_stored_before_comes_first(served, other):
    """While more arrives: nothing is missing in between, and nothing is there twice."""
    service = f"before-{otlp.unique()}"
    batches = [unique(5) for _ in range(60)]
    requests = [request("logs", names, service) for names in batches]
    send(served.server, *requests[:10])
    threads, failures = send_all([served.server, other], requests[10:])
    with TailClient(served.port, "logs", {"service": service, "start_time": "now-5m"}) as tail:
        join(threads, failures)
        tail.wait_count(300)
        assert sorted(names_of(tail, "logs")) == sorted(name for names in batches for name in names)


def test_as_many_of_those_before_as_are_asked_for(served):
    service = f"limited-{otlp.unique()}"
    names = unique(1_100)
    send(served.server, *(request("spans", names[start:start + 100], service) for start in range(0, len(names), 100)))
    listed = served.query.get("/api/spans", {"start_time": "now-5m", "service": service, "limit": 1000})["spans"][::-1]
    for limit, count, lags in [(7, 7, []), (1_000, 1_000, []), (1_001, 1_000, [None]), (None, 1_000, [None])]:
        parameters = {"service": service, "start_time": "now-5m"} | ({"start_limit": limit} if limit else {})
        with TailClient(served.port, "spans", parameters).wait_begin() as tail:
            assert (len(tail.rows), tail.lags) == (count, lags)
            assert tail.rows == listed[-count:]


def test_limit_ends_it(served):
    with TailClient(served.port, "logs", {"limit": 3}) as tail:
        send(served.server, request("logs", unique(2)))
        tail.wait_count(2)
        send(served.server, request("logs", unique(5)))
        eventually(lambda: tail.is_over, "the end")
        assert len(tail.rows) == 3 and tail.failure is None


def test_what_is_no_tail(served):
    with TailClient(served.port, "logs").wait_begin() as tail:
        place = tail.places[-1]
    problem = served.query.problem
    for elements, parameters, kind, pointer in [
            ("logs", {"limit": 0}, "invalid-parameter", "limit"),
            ("logs", {"format": "xml"}, "invalid-parameter", "format"),
            ("logs", {"end_time": "now"}, "invalid-parameter", "end_time"),
            ("logs", {"cursor": "x"}, "invalid-parameter", "cursor"),
            ("logs", {"cursor": place[:-2]}, "invalid-parameter", "cursor"),
            ("logs", {"cursor": place, "start_time": "now-1m"}, "invalid-parameter", "start_time"),
            ("logs", {"cursor": place, "service": "x"}, "cursor-mismatch", "cursor"),
            ("spans", {"cursor": place}, "cursor-mismatch", "cursor"),
            ("spans", {"start_time": "yesterday"}, "invalid-parameter", "start_time"),
            ("spans", {"start_limit": 5}, "invalid-parameter", "start_limit"),
            ("spans", {"start_time": "now-1m", "start_limit": 0}, "invalid-parameter", "start_limit"),
            ("spans", {"filter": "nothing=1"}, "invalid-filter", "filter"),
            # What only PostgreSQL knows, where there is nothing to be looked at as well.
            ("spans", {"filter": "name~("}, "invalid-filter", None),
            ("logs", {"filter": "resource.host.name~a{2"}, "invalid-filter", None),
            ("logs", {"service": "nobody", "filter": "attr.key~["}, "invalid-filter", None)]:
        problem(400, kind, f"/api/{elements}/tail", parameters, pointer=pointer)
    problem(422, "range-too-wide", "/api/logs/tail", {"start_time": "now-90d"})
    assert served.query.request("/api/logs/tail", method="HEAD").status == 200


def test_a_schema_of_another_version_is_said_at_once(database, start_server, db):
    """As a search says it; the tails before go on."""
    served = start(database, start_server, SETTINGS)
    parameters = {"filter": "attr.key>=1"}
    db.execute("ALTER FUNCTION otel_value_int(jsonb) RENAME TO otel_value_int_of_another_version")
    try:
        searched = served.query.problem(503, "migrating", "/api/logs", parameters | {"start_time": "now-1h"})
        assert served.query.problem(503, "migrating", "/api/logs/tail", parameters)["detail"] == searched["detail"]
    finally:
        db.execute("ALTER FUNCTION otel_value_int_of_another_version(jsonb) RENAME TO otel_value_int")
    with TailClient(served.port, "logs", parameters).wait_begin() as tail:
        assert tail.response.status == 200
    assert served.server.daemon.stop() == 0


def test_the_end_of_the_daemon_ends_tails(database, start_server):
    served = start(database, start_server, SETTINGS)
    with TailClient(served.port, "spans", form="text/event-stream").wait_begin() as tail:
        assert served.server.daemon.stop() == 0
        eventually(lambda: tail.is_over, "the end")
        name, data, _ = tail.events[-1]
        assert (name, data["type"]) == ("error", "database-unavailable")
