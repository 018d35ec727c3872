# SPDX-License-Identifier: Apache-2.0
"""Messages that are hostile or partly wrong: refused as a whole, or stored without the wrong items."""

import pytest

from support import otlp, rebuild, rebuild_metrics
from support.grpcwire import (
    INVALID_ARGUMENT, OK, PATHS, RESOURCE_EXHAUSTED, assert_error, assert_success, frame, gzipped)
from support.normal import LEVELS, assert_same
from support.otlp import (
    PLACEHOLDER, REJECTED_FIELDS, RESPONSES, SIGNALS, attribute, length_delimited, nested_wire, varint, with_bytes)
from support.rawcall import assert_serves, call, export, exported

REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
DEPTH_MAX = 64
# The window in which times are accepted, by default; an hour on each side for the duration of a run.
HOUR_NS = 3600 * 10**9
TOO_EARLY, EARLIEST = otlp.BASE_NS - 30 * 24 * HOUR_NS, otlp.BASE_NS - (30 * 24 - 1) * HOUR_NS
TOO_LATE, LATEST = otlp.BASE_NS + (24 + 2) * HOUR_NS, otlp.BASE_NS + (24 - 1) * HOUR_NS

NOT_PROTOBUF = {
    "unfinished varint": b"\xff", "varint of 11 bytes": b"\x08" + b"\xff" * 10 + b"\x01", "field number 0": b"\x00\x00",
    "length beyond the end": b"\x0a\x7f", "huge length": b"\x0a" + varint(2**63), "group": b"\x0b\x0c",
    "stray end of group": b"\x0c", "wire type 6": b"\x0e", "wire type 7": b"\x0f", "cut fixed64": b"\x09\x00\x00",
    "text": b"hello world, this is not protobuf",
    "wrong wire type inside": length_delimited(1, length_delimited(2, b"\x10"))}


@pytest.mark.parametrize("name", NOT_PROTOBUF)
@pytest.mark.parametrize("signal", SIGNALS)
def test_not_protobuf(client, starling, db, signal, name):
    assert_error(export(client, starling, signal, NOT_PROTOBUF[name]), [INVALID_ARGUMENT])
    assert_serves(client, starling, db)


def with_attribute_value(value):
    """Wire bytes of an export of one span that has one attribute with these AnyValue bytes."""
    pair = length_delimited(9, length_delimited(1, b"k") + length_delimited(2, value))
    span = otlp.span().SerializeToString() + pair
    return length_delimited(1, length_delimited(2, length_delimited(2, span)))


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 1000, 10_000, 100_000])
def test_nesting_too_deep(client, starling, db, depth):
    assert_error(export(client, starling, "traces", with_attribute_value(nested_wire(depth))),
                 [INVALID_ARGUMENT, RESOURCE_EXHAUSTED])
    assert_serves(client, starling, db)


def test_deepest_nesting_that_is_allowed(client, starling, db):
    response = exported(client, starling, "traces", with_attribute_value(nested_wire(DEPTH_MAX)))
    assert response.SerializeToString() == b""
    ((form,),) = db.execute("SELECT attributes->>'k' FROM otel_spans_fact").fetchall()
    assert form == "[" * (DEPTH_MAX - 1) + "1" + "]" * (DEPTH_MAX - 1)
    assert_serves(client, starling, db, span_count=1)


@pytest.mark.parametrize("signal", SIGNALS)
def test_repeated_singular_message(client, starling, db, signal):
    """protobuf merges these; with protobuf-c that takes quadratic time."""
    envelope = length_delimited(1, length_delimited(1, b"")) * 80_000
    assert_error(export(client, starling, signal, length_delimited(1, envelope)), [INVALID_ARGUMENT])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("item_count", [900_000, 30_000_000])
@pytest.mark.parametrize("signal", SIGNALS)
def test_bomb_of_empty_items(client, starling, db, signal, item_count):
    """Two bytes on the wire, two hundred unpacked. Either final answer is good; memory must not grow."""
    wire = length_delimited(1, length_delimited(2, b"\x12\x00" * item_count))
    answer = call(client, starling, gzipped(wire), path=PATHS[signal], grpc_encoding="gzip")
    if answer.code == OK:
        assert_success(answer)
        rejected = getattr(RESPONSES[signal].FromString(answer.body).partial_success, REJECTED_FIELDS[signal])
        assert rejected == (item_count if signal == "traces" else 0)
        db.execute("TRUNCATE otel_logs_fact")
    else:
        assert_error(answer, [INVALID_ARGUMENT, RESOURCE_EXHAUSTED])
    assert_serves(client, starling, db)


def test_bomb_of_attributes(client, starling, db):
    pairs = length_delimited(9, b"") * 1_000_000
    wire = length_delimited(1, length_delimited(2, length_delimited(2, otlp.span().SerializeToString() + pairs)))
    answer = call(client, starling, gzipped(wire), grpc_encoding="gzip")
    assert_error(answer, [INVALID_ARGUMENT, RESOURCE_EXHAUSTED])
    assert_serves(client, starling, db)


# Items that are wrong in one thing: the item is rejected and counted, its neighbours are stored.

SPAN_FAULTS = {
    "no trace id": {"trace_id": b""}, "short trace id": {"trace_id": b"\x01" * 15},
    "long trace id": {"trace_id": b"\x01" * 17}, "zero trace id": {"trace_id": bytes(16)},
    "no span id": {"span_id": b""}, "short span id": {"span_id": b"\x01" * 7},
    "long span id": {"span_id": b"\x01" * 9}, "zero span id": {"span_id": bytes(8)},
    "short parent": {"parent_span_id": b"\x01" * 7}, "long parent": {"parent_span_id": b"\x01" * 16},
    "start 0": {"start_time_unix_nano": 0}, "start 1": {"start_time_unix_nano": 1},
    "start 2^63-1": {"start_time_unix_nano": 2**63 - 1}, "start 2^63": {"start_time_unix_nano": 2**63},
    "start 2^64-1": {"start_time_unix_nano": 2**64 - 1},
    "start too early": {"start_time_unix_nano": TOO_EARLY}, "start too late": {"start_time_unix_nano": TOO_LATE},
    "end 2^63": {"end_time_unix_nano": 2**63}, "end 2^64-1": {"end_time_unix_nano": 2**64 - 1},
}
LOG_FAULTS = {
    "time 1": {"time_unix_nano": 1}, "time 2^63": {"time_unix_nano": 2**63},
    "time 2^64-1": {"time_unix_nano": 2**64 - 1},
    "too early": {"time_unix_nano": TOO_EARLY}, "too late": {"time_unix_nano": TOO_LATE},
    "observed 2^63": {"observed_time_unix_nano": 2**63}, "observed 2^64-1": {"observed_time_unix_nano": 2**64 - 1},
    "observed 1 without time": {"time_unix_nano": 0, "observed_time_unix_nano": 1},
}
POINT_FAULTS = {
    "time 0": {"time_unix_nano": 0}, "time 1": {"time_unix_nano": 1}, "time 2^63": {"time_unix_nano": 2**63},
    "time 2^64-1": {"time_unix_nano": 2**64 - 1},
    "too early": {"time_unix_nano": TOO_EARLY}, "too late": {"time_unix_nano": TOO_LATE},
    "start 2^63": {"start_time_unix_nano": 2**63}, "start 2^64-1": {"start_time_unix_nano": 2**64 - 1},
}
POINT_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def metric_of(kind, **fields):
    metric = otlp.Metric(name=f"{kind}.{otlp.unique()}")
    getattr(metric, kind).data_points.add(**({"time_unix_nano": otlp.BASE_NS + otlp.unique()} | fields))
    return metric


FAULTY = ([("traces", name, lambda fields=fields: otlp.span(**fields)) for name, fields in SPAN_FAULTS.items()]
          + [("logs", name, lambda fields=fields: otlp.log_record(**fields)) for name, fields in LOG_FAULTS.items()]
          + [("metrics", f"{kind} {name}", lambda kind=kind, fields=fields: metric_of(kind, **fields))
             for kind in POINT_KINDS for name, fields in POINT_FAULTS.items()])


def assert_rejected(response, signal, count):
    partial = response.partial_success
    assert getattr(partial, otlp.REJECTED_FIELDS[signal]) == count, response
    assert 0 < len(partial.error_message) <= 512


@pytest.mark.parametrize(("signal", "name", "make"), FAULTY, ids=[f"{signal} {name}" for signal, name, _ in FAULTY])
def test_one_bad_item_among_good_ones(client, starling, db, signal, name, make):
    good = [otlp.ITEMS[signal](), otlp.ITEMS[signal]()]
    request = otlp.request(signal, [good[0], make(), good[1], make()])
    assert_rejected(exported(client, starling, signal, request), signal, 2)
    assert_same(otlp.request(signal, good), REBUILD[signal](db))
    assert_serves(client, starling, db, span_count=2 if signal == "traces" else 0)


@pytest.mark.parametrize("time_ns", [EARLIEST, LATEST], ids=["earliest", "latest"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_times_at_the_ends_of_the_window(client, starling, db, signal, time_ns):
    """Stored, in partitions that are made on demand."""
    item = {"traces": lambda: otlp.span(start_time_unix_nano=time_ns),
            "logs": lambda: otlp.log_record(time_unix_nano=time_ns),
            "metrics": lambda: metric_of("summary", time_unix_nano=time_ns)}[signal]()
    request = otlp.request(signal, [item])
    assert exported(client, starling, signal, request).SerializeToString() == b""
    assert_same(request, REBUILD[signal](db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_nothing_but_bad_items(client, starling, db, signal):
    make = {"traces": lambda: otlp.span(trace_id=b""), "logs": lambda: otlp.log_record(time_unix_nano=2**64 - 1),
            "metrics": lambda: metric_of("gauge")}[signal]
    items = [make() for _ in range(5)]
    if signal == "metrics":
        items[0].gauge.data_points.add(time_unix_nano=0)
        del items[1:]
        del items[0].gauge.data_points[0]
    assert_rejected(exported(client, starling, signal, otlp.request(signal, items)), signal, len(items))
    assert_serves(client, starling, db)


# Text that PostgreSQL cannot hold, in every place where OTLP has text.

BAD_TEXTS = {"NUL": b"a\x00b", "byte ff": b"a\xff", "cut sequence": b"\xe2\x82", "surrogate": b"\xed\xa0\x80",
             "overlong": b"\xc0\xaf", "beyond unicode": b"\xf4\x90\x80\x80", "stray continuation": b"\x80"}
P = PLACEHOLDER


def in_attributes():
    """Attribute lists with bad text in a key, a value, and nested ones."""
    inner = otlp.AnyValue()
    inner.kvlist_value.values.add(key=P)
    deep = otlp.AnyValue()
    deep.array_value.values.add().kvlist_value.values.append(attribute("k", P))
    return {"key": [attribute(P, 1)], "value": [attribute("k", P)], "nested key": [attribute("k", inner)],
            "nested value": [attribute("k", deep)]}


def text_places():
    """(signal, place, item): the item has PLACEHOLDER in that place."""
    for name, pairs in in_attributes().items():
        yield "traces", f"attribute {name}", otlp.span(attributes=pairs)
        yield "traces", f"event attribute {name}", otlp.span(events=[{"attributes": pairs}])
        yield "traces", f"link attribute {name}", otlp.span(links=[{"attributes": pairs}])
        yield "logs", f"attribute {name}", otlp.log_record(attributes=pairs)
        for kind in POINT_KINDS:
            yield "metrics", f"{kind} attribute {name}", metric_of(kind, attributes=pairs)
        for kind in POINT_KINDS[:-1]:
            yield "metrics", f"{kind} exemplar {name}", metric_of(kind, exemplars=[{"filtered_attributes": pairs}])
        yield "metrics", f"metadata {name}", otlp.gauge(metadata=pairs)
        if name != "key":
            yield "logs", f"body {name}", otlp.log_record(body=pairs[0].value)
    for field in ("name", "trace_state"):
        yield "traces", field, otlp.span(**{field: P})
    yield "traces", "status message", otlp.span(status={"message": P})
    yield "traces", "event name", otlp.span(events=[{"name": P}])
    yield "traces", "link trace_state", otlp.span(links=[{"trace_state": P}])
    for field in ("severity_text", "event_name"):
        yield "logs", field, otlp.log_record(**{field: P})
    for field in ("name", "description", "unit"):
        yield "metrics", field, otlp.gauge(**{field: P})


PLACES = list(text_places())


@pytest.mark.parametrize(("signal", "place", "item"), PLACES, ids=[f"{signal} {place}" for signal, place, _ in PLACES])
def test_bad_text_in_an_item(client, starling, db, signal, place, item):
    """All kinds of bad text in one request: one item each is rejected."""
    bad = [otlp.request(signal, [item]) for _ in BAD_TEXTS]
    good = otlp.request(signal)
    wire = good.SerializeToString() + b"".join(map(with_bytes, bad, BAD_TEXTS.values()))
    assert_rejected(exported(client, starling, signal, wire), signal, len(bad))
    assert_same(good, REBUILD[signal](db))
    assert_serves(client, starling, db, span_count=1 if signal == "traces" else 0)


def envelope_places(signal):
    """Requests of three items with PLACEHOLDER in what the items share."""
    def request(**owner):
        return otlp.request(signal, [otlp.ITEMS[signal]() for _ in range(3)], **owner)

    outer, inner, _ = LEVELS[otlp.REQUESTS[signal]]
    for name, pairs in in_attributes().items():
        yield f"resource attribute {name}", request(resource=rebuild.Resource(attributes=pairs))
        yield f"scope attribute {name}", request(scope=rebuild.InstrumentationScope(attributes=pairs))
    yield "scope name", request(scope=rebuild.InstrumentationScope(name=P))
    yield "scope version", request(scope=rebuild.InstrumentationScope(version=P))
    for reference in ({"schema_url": P}, {"type": P}, {"id_keys": [P]}, {"description_keys": [P]}):
        yield f"entity {list(reference)[0]}", request(resource=rebuild.Resource(entity_refs=[reference]))
    by_resource, by_scope = request(), request()
    getattr(by_resource, outer)[0].schema_url = P
    getattr(getattr(by_scope, outer)[0], inner)[0].schema_url = P
    yield "resource schema_url", by_resource
    yield "scope schema_url", by_scope


ENVELOPES = [(signal, place, request) for signal in SIGNALS for place, request in envelope_places(signal)]


@pytest.mark.parametrize(("signal", "place", "bad"), ENVELOPES,
                         ids=[f"{signal} {place}" for signal, place, _ in ENVELOPES])
def test_bad_text_in_what_items_share(client, starling, db, signal, place, bad):
    """Everything beneath is rejected, the rest of the request is stored."""
    good = otlp.request(signal)
    wire = b"".join(with_bytes(bad, text) for text in BAD_TEXTS.values()) + good.SerializeToString()
    assert_rejected(exported(client, starling, signal, wire), signal, 3 * len(BAD_TEXTS))
    assert_same(good, REBUILD[signal](db))
    assert_serves(client, starling, db, span_count=1 if signal == "traces" else 0)


def test_messages_may_arrive_in_any_field_order(client, starling, db):
    """Scopes before the resource, and unknown fields between: legal, if unusual."""
    span = otlp.span()
    scope_spans = length_delimited(2, span.SerializeToString()) + length_delimited(1, length_delimited(1, b"scope"))
    resource = length_delimited(1, attribute("service.name", "late").SerializeToString())
    wire = length_delimited(
        1, length_delimited(2, scope_spans) + length_delimited(99, b"?") + length_delimited(1, resource))
    assert exported(client, starling, "traces", wire).SerializeToString() == b""
    request = otlp.request("traces", [span], rebuild.Resource(attributes=[attribute("service.name", "late")]),
                           rebuild.InstrumentationScope(name="scope"))
    assert_same(request, rebuild.traces(db))
    assert call(client, starling, frame(wire)).code == OK
