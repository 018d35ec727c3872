# SPDX-License-Identifier: Apache-2.0
"""Searches of traces, spans and log records: pages, times, and what the elements say, beside what was sent."""

import random
import threading
import time

import pytest

from conftest import Export
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support import otlp
from support.api import api_settings
from support.query import QueryAPI

SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def served(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    return server, QueryAPI(api.address)


def resource(name):
    result = otlp.request("traces").resource_spans[0].resource
    del result.attributes[:]
    result.attributes.extend(otlp.attributes(service__name=name))
    return result


def send(server, *requests):
    with server.channel() as channel:
        for request in requests:
            Export(channel)(request)


def service():
    """A name that no other test uses."""
    return f"search-{otlp.unique()}"


def span_list(name, count, step_ns=SECOND_NS):
    """Spans of one service, each a trace of its own, the newest last."""
    return [otlp.span(name=f"{name}-{index}", start_time_unix_nano=otlp.BASE_NS + index * step_ns,
                      end_time_unix_nano=otlp.BASE_NS + index * step_ns + 5) for index in range(count)]


def window(**others):
    return {"start_time": otlp.BASE_NS - 60 * SECOND_NS, "end_time": otlp.BASE_NS + 900 * SECOND_NS} | others


def pages(query, path, elements, parameters, limit):
    """All elements, page by page; every page but the last is full."""
    found, cursor = [], None
    while True:
        page = query.get(path, parameters | {"limit": limit} | ({"cursor": cursor} if cursor else {}))
        found += page[elements]
        cursor = page["pagination"]["next_cursor"]
        assert page["pagination"]["has_more"] == (cursor is not None)
        assert page["warnings"] == []
        if cursor is None:
            assert len(page[elements]) <= limit
            return found
        assert len(page[elements]) == limit


@pytest.mark.parametrize("limit", [1, 7, 20, 100])
@pytest.mark.parametrize("elements", ["spans", "traces"])
def test_pages_are_whole_and_in_order(served, elements, limit):
    server, query = served
    name = service()
    spans = span_list(name, 20)
    shuffled = random.Random(1).sample(spans, len(spans))
    send(server, otlp.request("traces", shuffled[:9], resource(name)), otlp.request("traces", shuffled[9:], resource(name)))
    found = pages(query, f"/api/{elements}", elements, window(service=name), limit)
    assert [item["trace_id"] for item in found] == [span.trace_id.hex() for span in reversed(spans)]


@pytest.mark.parametrize("elements", ["spans", "traces", "logs"])
def test_items_of_one_time_are_neither_lost_nor_repeated(served, elements):
    server, query = served
    name = service()
    if elements == "logs":
        items = [otlp.log_record(time_unix_nano=otlp.BASE_NS) for _ in range(30)]
        send(server, otlp.request("logs", items, resource(name)))
        found = pages(query, "/api/logs", "logs", window(service=name), 7)
        assert sorted(log["body"] for log in found) == sorted(item.body.string_value for item in items)
        return
    spans = span_list(name, 30, step_ns=0)
    send(server, otlp.request("traces", spans, resource(name)))
    found = pages(query, f"/api/{elements}", elements, window(service=name), 7)
    assert sorted(item["trace_id"] for item in found) == sorted(span.trace_id.hex() for span in spans)


def test_a_span_and_what_it_says(served):
    server, query = served
    name = service()
    span = otlp.span(
        name="POST /pay", kind=Span.SPAN_KIND_SERVER, parent_span_id=otlp.span_id(9),
        attributes=otlp.attributes(http__request__method="POST", big=2**62),
        status=Status(code=Status.STATUS_CODE_ERROR, message="no money"))
    send(server, otlp.request("traces", [span, span], resource(name)))
    [found] = query.get("/api/spans", window(service=name))["spans"]
    assert {key: found[key] for key in (
        "trace_id", "span_id", "parent_span_id", "name", "kind", "status", "status_message", "semantic_type",
        "service_name", "start_time_unix_nano", "duration_nanos", "attributes", "resource_attributes")} == {
        "trace_id": span.trace_id.hex(), "span_id": span.span_id.hex(), "parent_span_id": otlp.span_id(9).hex(),
        "name": "POST /pay", "kind": "SERVER", "status": "ERROR", "status_message": "no money",
        "semantic_type": "http", "service_name": name, "start_time_unix_nano": str(span.start_time_unix_nano),
        "duration_nanos": "1000", "attributes": {"http.request.method": "POST", "big": 2**62},
        "resource_attributes": {"service.name": name}}
    assert found == query.get(f"/api/spans", {"trace_id": span.trace_id.hex()})["spans"][0]


def test_a_log_record_and_what_it_says(served):
    server, query = served
    name = service()
    record = otlp.log_record(severity_number=17, severity_text="bad", event_name="e", trace_id=otlp.trace_id(3),
                             span_id=otlp.span_id(4), attributes=otlp.attributes(a=1.5),
                             body=AnyValue(string_value='say "é"'))
    send(server, otlp.request("logs", [record], resource(name)))
    [found] = query.get("/api/logs", window(service=name))["logs"]
    assert {key: found[key] for key in ("time_unix_nano", "observed_time_unix_nano", "severity_number", "severity_text",
                                        "event_name", "body", "trace_id", "span_id", "attributes", "service_name")} == {
        "time_unix_nano": str(record.time_unix_nano), "observed_time_unix_nano": str(record.observed_time_unix_nano),
        "severity_number": 17, "severity_text": "bad", "event_name": "e", "body": 'say "é"',
        "trace_id": otlp.trace_id(3).hex(), "span_id": otlp.span_id(4).hex(), "attributes": {"a": 1.5},
        "service_name": name}


@pytest.fixture(scope="module")
def two_services(served):
    """A trace that a shop began and a bank went on with, and one of the shop alone, later."""
    server, _ = served
    shop, bank = service(), service()
    start = otlp.BASE_NS + 20 * SECOND_NS
    first = otlp.trace_id(otlp.unique())
    root = otlp.span(trace_id=first, name="buy", start_time_unix_nano=start, end_time_unix_nano=start + 500)
    pay = otlp.span(trace_id=first, name="pay", parent_span_id=root.span_id, start_time_unix_nano=start + 100,
                    end_time_unix_nano=start + 900, status=Status(code=Status.STATUS_CODE_ERROR))
    late = otlp.span(trace_id=first, name="log", parent_span_id=root.span_id, start_time_unix_nano=start + 40 * SECOND_NS,
                     end_time_unix_nano=start + 40 * SECOND_NS)
    orphan = otlp.span(name="orphan", parent_span_id=otlp.span_id(5), start_time_unix_nano=start + SECOND_NS,
                       end_time_unix_nano=start + SECOND_NS + 10)
    send(server, otlp.request("traces", [late, root, orphan], resource(shop)),
         otlp.request("traces", [pay], resource(bank)))
    return shop, bank, root, pay, late, orphan


def test_what_is_said_of_a_trace(served, two_services):
    shop, bank, root, pay, late, orphan = two_services
    found = served[1].get("/api/traces", window(service=shop))["traces"]
    assert found == [
        {"trace_id": orphan.trace_id.hex(), "root_service_name": None, "root_span_name": None,
         "start_time_unix_nano": str(orphan.start_time_unix_nano), "end_time_unix_nano": str(orphan.end_time_unix_nano),
         "duration_nanos": "10", "span_count": 1, "error_count": 0,
         "services": [{"service_name": shop, "span_count": 1, "error_count": 0}]},
        {"trace_id": root.trace_id.hex(), "root_service_name": shop, "root_span_name": "buy",
         "start_time_unix_nano": str(root.start_time_unix_nano), "end_time_unix_nano": str(late.end_time_unix_nano),
         "duration_nanos": str(40 * SECOND_NS), "span_count": 3, "error_count": 1,
         "services": sorted([{"service_name": shop, "span_count": 2, "error_count": 0},
                             {"service_name": bank, "span_count": 1, "error_count": 1}],
                            key=lambda service: service["service_name"])}]


@pytest.mark.parametrize("conditions, expected", [
    ({}, 2), ({"errors_only": "true"}, 1), ({"errors_only": "false"}, 2), ({"min_duration": "11ns"}, 1),
    ({"min_duration": "10"}, 2), ({"max_duration": "10"}, 1), ({"max_duration": "9ns"}, 0),
    ({"min_duration": "40s", "max_duration": "40s"}, 1), ({"min_duration": "40000000001"}, 0),
    ({"name": "log"}, 1), ({"name": "pay"}, 0)])
def test_conditions_on_whole_traces(served, two_services, conditions, expected):
    shop = two_services[0]
    assert len(served[1].get("/api/traces", window(service=shop, **conditions))["traces"]) == expected
    body = {"time_range": {"start_time": str(window()["start_time"]), "end_time": window()["end_time"]},
            "filters": [{"field": "service", "operator": "eq", "value": shop}]}
    for name, value in conditions.items():
        if name == "name":
            body["filters"].append({"field": "name", "operator": "eq", "value": value})
        else:
            body[name] = value == "true" if name == "errors_only" else value
    assert len(served[1].get("/api/traces/search", body=body)["traces"]) == expected


def test_a_trace_is_found_by_any_of_its_services(served, two_services):
    _, bank, root, *_ = two_services
    [found] = served[1].get("/api/traces", window(service=bank))["traces"]
    assert (found["trace_id"], found["span_count"]) == (root.trace_id.hex(), 3)


def test_the_spans_and_logs_of_a_trace(served, two_services):
    server, query = served
    shop, _, root, pay, late, _ = two_services
    trace = root.trace_id.hex()
    spans = query.get(f"/api/traces/{trace}/spans")["spans"]
    assert [span["span_id"] for span in spans] == [span.span_id.hex() for span in (root, pay, late)]
    records = [otlp.log_record(trace_id=root.trace_id, span_id=span_id)
               for span_id in (pay.span_id, root.span_id, b"", pay.span_id)]
    send(server, otlp.request("logs", records, resource(shop)))
    found = query.get(f"/api/traces/{trace}/logs")
    assert (found["trace_id"], found["log_count"], found["warnings"]) == (trace, 4, [])
    bodies = [(group["span_id"], [log["body"] for log in group["logs"]]) for group in found["spans"]]
    texts = [record.body.string_value for record in records]
    assert bodies == [(pay.span_id.hex(), [texts[0], texts[3]]), (root.span_id.hex(), [texts[1]]), (None, [texts[2]])]
    of_span = query.get(f"/api/traces/{trace}/spans/{pay.span_id.hex()}/logs")["logs"]
    assert [log["body"] for log in of_span] == [texts[0], texts[3]]
    assert query.get(f"/api/traces/{'ab' * 16}/logs")["spans"] == []
    query.problem(404, "not-found", f"/api/traces/{'ab' * 16}/spans")
    query.problem(400, "invalid-parameter", f"/api/traces/{trace}/spans/xyz/logs", pointer="span_id")


def test_severities_and_texts(served):
    server, query = served
    name = service()
    records = [otlp.log_record(severity_number=number, body=AnyValue(string_value=f"text {number} %_"))
               for number in (1, 9, 12, 13, 16, 17, 24)]
    send(server, otlp.request("logs", records, resource(name)))

    def numbers(**parameters):
        found = query.get("/api/logs", window(service=name, **parameters))["logs"]
        return sorted(log["severity_number"] for log in found)
    assert numbers(min_severity="WARN") == [13, 16, 17, 24]
    assert numbers(min_severity="13", max_severity="warn") == [13, 16]
    assert numbers(max_severity="INFO") == [1, 9, 12]
    assert numbers(severity_number="17") == [17]
    assert numbers(text="text 1") == [1, 12, 13, 16, 17]
    assert numbers(text="%_") == [1, 9, 12, 13, 16, 17, 24]
    assert numbers(text="TEXT") == []
    query.problem(400, "invalid-filter", "/api/logs", window(min_severity="loud"), pointer="min_severity")


def test_times_are_half_open_and_may_be_written_in_many_ways(served):
    server, query = served
    name = service()
    at = otlp.BASE_NS
    send(server, otlp.request("logs", [otlp.log_record(time_unix_nano=at)], resource(name)))

    def count(start, end):
        return len(query.get("/api/logs", {"service": name, "start_time": start, "end_time": end})["logs"])
    assert count(at, at + 1) == 1 and count(at + 1, at + 2) == 0 and count(at - 1, at) == 0
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at // SECOND_NS))
    assert count(text, "now") == 1 and count("now-2h", text) == 0 and count("now-2h", text[:-1] + ".000000001Z") == 1


def test_pages_of_a_relative_range_have_the_range_of_the_first(served):
    server, query = served
    name = service()
    send(server, otlp.request("traces", span_list(name, 3), resource(name)))
    found = pages(query, "/api/spans", "spans", {"service": name, "start_time": "now-2h"}, 1)
    assert len(found) == 3


@pytest.mark.parametrize("elements", ["spans", "logs"])
def test_nothing_is_lost_or_repeated_while_more_arrives(served, elements):
    """New items are newer or older than the cursor: what was there at the start all comes, once."""
    server, query = served
    name = service()
    if elements == "spans":
        old = span_list(name, 60)
        send(server, otlp.request("traces", old, resource(name)))
    else:
        old = [otlp.log_record(time_unix_nano=otlp.BASE_NS + index) for index in range(60)]
        send(server, otlp.request("logs", old, resource(name)))
    def ingest():
        for _ in range(30):
            if elements == "spans":
                send(server, otlp.request("traces", span_list(name, 5), resource(name)))
            else:
                items = [otlp.log_record(time_unix_nano=otlp.BASE_NS + index * 7) for index in range(5)]
                send(server, otlp.request("logs", items, resource(name)))
    thread = threading.Thread(target=ingest)
    thread.start()
    found = pages(query, f"/api/{elements}", elements, window(service=name), 3)
    thread.join()
    keys = [item["span_id"] if elements == "spans" else item["log_id"] for item in found]
    assert len(keys) == len(set(keys))
    if elements == "spans":
        assert {span.span_id.hex() for span in old} <= set(keys)
    else:
        assert {record.body.string_value for record in old} <= {log["body"] for log in found}
    column = "start_time_unix_nano" if elements == "spans" else "time_unix_nano"
    times = [int(item[column]) for item in found]
    assert times == sorted(times, reverse=True)


def test_traces_while_more_arrives(served):
    """What was there at the start all comes; what comes again is a trace that got an earlier span meanwhile."""
    server, query = served
    name = service()
    old = span_list(name, 60, step_ns=10 * SECOND_NS)
    send(server, otlp.request("traces", old, resource(name)))
    earlier = set()

    def children(of, by_ns):
        return [otlp.span(trace_id=span.trace_id, parent_span_id=span.span_id,
                          start_time_unix_nano=span.start_time_unix_nano + by_ns) for span in of]

    def ingest():
        for index in range(30):
            moved = old[index * 2:index * 2 + 1]
            earlier.update(span.trace_id.hex() for span in moved)
            send(server, otlp.request("traces", [
                *span_list(name, 5, step_ns=7 * SECOND_NS), *children(old[:5], SECOND_NS),
                *children(moved, -25 * SECOND_NS)], resource(name)))
    thread = threading.Thread(target=ingest)
    thread.start()
    found = [trace["trace_id"] for trace in pages(query, "/api/traces", "traces", window(service=name), 3)]
    thread.join()
    repeated = {trace_id for trace_id in found if found.count(trace_id) > 1}
    assert {span.trace_id.hex() for span in old} <= set(found)
    assert repeated <= earlier


@pytest.mark.parametrize("path, elements", [("/api/spans", "spans"), ("/api/traces", "traces")])
def test_cursors_belong_to_their_question(served, path, elements):
    server, query = served
    name = service()
    send(server, otlp.request("traces", span_list(name, 3), resource(name)))
    cursor = query.get(path, window(service=name, limit=1))["pagination"]["next_cursor"]
    assert len(query.get(path, window(service=name, limit=2, cursor=cursor))[elements]) == 2
    for other in ({"service": "x"}, {"service": name, "name": "x"}, {"service": name, "start_time": 5}):
        query.problem(400, "cursor-mismatch", path, window(cursor=cursor, **{"limit": 1} | other), pointer="cursor")
    query.problem(400, "cursor-mismatch", "/api/logs", window(service=name, cursor=cursor), pointer="cursor")
    query.problem(400, "invalid-parameter", path, window(service=name, cursor="%00"), pointer="cursor")


@pytest.mark.parametrize("parameters, kind, pointer", [
    ({}, "invalid-parameter", "start_time"), ({"start_time": "yesterday"}, "invalid-parameter", "start_time"),
    ({"start_time": "now", "end_time": "now-1h"}, "invalid-parameter", "start_time"),
    ({"start_time": "now-1h", "limit": "0"}, "invalid-parameter", "limit"),
    ({"start_time": "now-1h", "limit": "x"}, "invalid-parameter", "limit"),
    ({"start_time": "now-1h", "colour": "red"}, "invalid-parameter", "colour"),
    ({"start_time": "now-1h", "kind": "x"}, "invalid-filter", "kind"),
    ({"start_time": "now-1h", "filters": "{}"}, "invalid-filter", "filters"),
    # Where there is no row, and where no resource passes as well.
    ({"start_time": "2000-01-01T00:00:00Z", "end_time": "2000-01-01T00:00:01Z", "filter": "name~("}, "invalid-filter",
     None),
    ({"start_time": "now-1h", "service": "nobody", "filter": "attr.key~a{2"}, "invalid-filter", None),
    ({"start_time": "now-1h", "min_duration": "fast"}, None, "min_duration")])
def test_bad_parameters(served, parameters, kind, pointer):
    for path in ("/api/spans", "/api/traces"):
        answer = served[1].problem(400, kind, path, parameters, pointer=pointer) if kind else None
        if kind is None:
            answer = served[1].request(path, parameters)
            assert answer.status == 400 and '"pointer":"min_duration"' in answer.body


@pytest.mark.parametrize("body, kind, pointer", [
    (b"{", "invalid-parameter", None), ([], "invalid-parameter", None), ({}, "invalid-parameter", "/time_range"),
    ({"time_range": {}}, "invalid-parameter", "/time_range/start_time"),
    ({"time_range": {"start_time": "x"}}, "invalid-parameter", "/time_range/start_time"),
    ({"time_range": {"start_time": "now-1h", "zone": 1}}, "invalid-parameter", "/time_range/zone"),
    ({"time_range": {"start_time": "now-1h"}, "limit": 5}, "invalid-parameter", "/limit"),
    ({"time_range": {"start_time": "now-1h"}, "pagination": {"limit": 0}}, "invalid-parameter", "/pagination/limit"),
    ({"time_range": {"start_time": "now-1h"}, "filters": [{"field": "x"}]}, "invalid-filter", "/filters/0"),
    ({"time_range": {"start_time": "now-1h"}, "filters": [{"field": "name", "operator": "regex", "value": "("}]},
     "invalid-filter", None)])
def test_bad_bodies(served, body, kind, pointer):
    served[1].problem(400, kind, "/api/spans/search", body=body, pointer=pointer)


def test_a_range_that_is_too_wide(served):
    served[1].problem(422, "range-too-wide", "/api/spans", {"start_time": "0"}, pointer="start_time")


def test_more_than_a_page_may_have(served):
    found = served[1].get("/api/spans", {"start_time": "now-1h", "limit": "1001", "service": "nobody"})
    assert len(found["warnings"]) == 1 and found["spans"] == []
