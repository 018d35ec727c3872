# SPDX-License-Identifier: Apache-2.0
"""Filters beside the same conditions in Python: every kind of value, in a column and beside it."""

import json

import pytest

from conftest import Export
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support import otlp
from support.api import api_settings
from support.query import QueryAPI

# What the attribute of a span may be; None is a span without it.
VALUES = ["GET", "get", "G%T", "", "200", 200, 201, -5, 200.0, 200.5, 0.0, 1e300, 1e-9, 2**53 + 1, 2**63 - 1, 10**18,
          True, False, b"GET", AnyValue(array_value=ArrayValue(values=[otlp.any_of("GET")])), AnyValue(), None]
# Promoted as a string, promoted as an integer, not promoted.
KEYS = ["http.request.method", "http.response.status_code", "app.unpromoted"]


@pytest.fixture(scope="module")
def stored(database, start_server):
    """Spans with each value under each key, of their attributes, resources, scopes, events and links."""
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    requests = []
    for index, value in enumerate(VALUES):
        attributes = [] if value is None else [otlp.attribute(key, value) for key in KEYS]
        request = otlp.request("traces", [otlp.span(
            name=f"filter {index}", attributes=attributes,
            events=[Span.Event(name="other"), Span.Event(name=f"event {index}", attributes=attributes)],
            links=[Span.Link(trace_id=otlp.trace_id(1), span_id=otlp.span_id(1), attributes=attributes)])])
        envelope = request.resource_spans[0]
        envelope.resource.attributes.extend(attributes)
        envelope.scope_spans[0].scope.attributes.extend(attributes)
        requests.append(request)
        log = otlp.request("logs", [otlp.log_record(attributes=attributes, body=otlp.any_of(f"filter {index}"))])
        requests.append(log)
    with server.channel() as channel:
        for request in requests:
            Export(channel)(request)
    return QueryAPI(api.address)


def found(query, filters, path="spans"):
    """Which of the values pass, as their places in VALUES."""
    body = {"time_range": {"start_time": "now-2h"}, "filters": filters, "pagination": {"limit": 1000}}
    items = query.get(f"/api/{path}/search", body=body)[path]
    names = [item["name"] if path == "spans" else item["body"] for item in items]
    return sorted(int(name.removeprefix("filter ")) for name in names if str(name).startswith("filter "))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def comparable(value, other):
    return is_number(value) and is_number(other) or (
        isinstance(value, (str, bool)) and type(value) is type(other))


def is_equal(value, other):
    return comparable(value, other) and value == other


def expected(test):
    return [index for index, value in enumerate(VALUES) if value is not None and test(value)]


TESTS = [("eq", other, lambda value, other=other: is_equal(value, other))
         for other in ("GET", "200", 200, 200.0, 200.5, 0, 1e300, 1e-9, 2**53 + 1, 2**53, 2**63 - 1, 10**18, 1e18, True, False)]
TESTS += [("ne", other, lambda value, other=other: not is_equal(value, other)) for other in ("GET", 200, True)]
TESTS += [("in", others, lambda value, others=others: any(is_equal(value, other) for other in others))
          for others in (["GET", 201, False], [1])]
TESTS += [("not_in", ["GET", 200], lambda value: not is_equal(value, "GET") and not is_equal(value, 200))]
TESTS += [(name, other, lambda value, test=test, other=other: comparable(value, other) and test(value, other))
          for name, test in (("gt", lambda a, b: a > b), ("gte", lambda a, b: a >= b), ("lt", lambda a, b: a < b),
                             ("lte", lambda a, b: a <= b))
          for other in ("GET", 200, 200.5, -5)]
TESTS += [("contains", "%", lambda value: isinstance(value, str) and "%" in value),
          ("contains", "e", lambda value: isinstance(value, str) and "e" in value),
          ("regex", "^G.T$", lambda value: isinstance(value, str) and value in ("GET", "G%T")),
          ("regex", "(?i)^get$", lambda value: isinstance(value, str) and value.lower() == "get"),
          ("exists", True, lambda value: True)]


@pytest.mark.parametrize("scope", ["span", "resource", "scope", "event", "link"])
@pytest.mark.parametrize("operator, value, test", TESTS, ids=[f"{name}-{json.dumps(value)}" for name, value, _ in TESTS])
def test_attributes(stored, scope, operator, value, test):
    for key in KEYS:
        condition = {"field": f"{scope}.{key}", "operator": operator, "value": value}
        passing = expected(test)
        assert found(stored, [condition]) == passing, key
        assert found(stored, [{"not": condition}]) == sorted(set(range(len(VALUES))) - set(passing)), key


@pytest.mark.parametrize("operator, value, test", TESTS, ids=[f"{name}-{json.dumps(value)}" for name, value, _ in TESTS])
def test_attributes_of_log_records(stored, operator, value, test):
    condition = {"field": "log.app.unpromoted", "operator": operator, "value": value}
    assert found(stored, [condition], "logs") == expected(test)


def test_and_or_not(stored):
    name = {"field": "name", "operator": "in", "value": [f"filter {index}" for index in range(4)]}
    first = {"field": "name", "operator": "eq", "value": "filter 0"}
    assert found(stored, [name]) == [0, 1, 2, 3]
    assert found(stored, [name, {"not": first}]) == [1, 2, 3]
    assert found(stored, [{"and": [name, {"or": [first, {"field": "name", "operator": "eq", "value": "filter 9"}]}]}]) == [0]
    assert found(stored, [{"or": []}]) == []


def test_events_by_name(stored):
    assert found(stored, [{"field": "event_name", "operator": "eq", "value": "event 3"}]) == [3]
    assert found(stored, [{"not": {"field": "event_name", "operator": "regex", "value": "^event [1-9]"}}]) == [0]


def test_attributes_of_item_or_resource(stored):
    condition = {"field": "attr.app.unpromoted", "operator": "eq", "value": "GET"}
    assert found(stored, [condition]) == [0]


def test_parameters_have_no_types(stored):
    spans = stored.get("/api/spans", {"start_time": "now-2h", "span.app.unpromoted": "200", "limit": 1000})["spans"]
    assert sorted(span["name"] for span in spans) == sorted(
        f"filter {index}" for index, value in enumerate(VALUES) if value in ("200", 200) and not isinstance(value, bool))
