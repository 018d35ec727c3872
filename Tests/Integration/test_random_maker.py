# SPDX-License-Identifier: Apache-2.0
"""The generator of random requests reaches everything: a round trip of what is never sent proves nothing."""

from collections import Counter
import math
import random

from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
import pytest

from support.otlp import BASE_NS, REQUESTS, SIGNALS
from support.random_otlp import DAY_NS, DEPTH_MAX, LONG_SIZES, PROMOTED, PROMOTED_BY_TEST, Maker
from support.shrink import differing_paths, shrunk

REQUEST_COUNT = 600
# Without these an item is not stored.
REQUIRED = {"Span.trace_id", "Span.span_id", "Span.start_time_unix_nano"} | {
    f"{kind}.time_unix_nano" for kind in (
        "NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint", "SummaryDataPoint")}
TIMES = ("time_unix_nano", "start_time_unix_nano", "end_time_unix_nano", "observed_time_unix_nano")
EDGES = {FieldDescriptor.CPPTYPE_UINT32: [1, 2**31 - 1, 2**31, 2**32 - 1],
         FieldDescriptor.CPPTYPE_UINT64: [1, 2**63 - 1, 2**63, 2**64 - 1],
         FieldDescriptor.CPPTYPE_INT32: [1, -1, 2**31 - 1, -2**31],
         FieldDescriptor.CPPTYPE_INT64: [1, -1, 2**63 - 1, -2**63],
         FieldDescriptor.CPPTYPE_DOUBLE: ["-0.0", "inf", "-inf", "nan", "5e-324", "1.7976931348623157e+308"]}


class Seen:
    """What occurs in many messages."""

    def __init__(self, signal):
        self.set, self.unset = Counter(), Counter()
        self.edges = {}
        self.kinds = {}
        self.keys = set()
        maker = Maker(random.Random(f"coverage/{signal}"))
        for _ in range(REQUEST_COUNT):
            self.visit(maker.request(signal))

    def visit(self, message, owner=""):
        """`owner` is the field that holds the attributes, or the body, in which `message` is."""
        kind = message.DESCRIPTOR.name
        present = {field.name for field, _ in message.ListFields()}
        for field in message.DESCRIPTOR.fields:
            (self.set if field.name in present else self.unset)[f"{kind}.{field.name}"] += 1
        if kind == "KeyValue":
            self.keys.add(message.key)
        if kind == "AnyValue":
            self.kinds.setdefault(owner, set()).add(message.WhichOneof("value"))
        for field, value in message.ListFields():
            here = owner if kind in ("KeyValue", "AnyValue", "ArrayValue", "KeyValueList") else f"{kind}.{field.name}"
            for element in value if field.is_repeated else [value]:
                if field.message_type is not None:
                    self.visit(element, here)
                text = repr(element) if isinstance(element, float) else element
                if field.message_type is None and text in EDGES.get(field.cpp_type, []):
                    self.edges.setdefault(f"{kind}.{field.name}", set()).add(text)


@pytest.fixture(scope="module", params=SIGNALS)
def seen(request):
    return request.param, Seen(request.param)


def fields_below(descriptor, found=None):
    """Full names of all fields that a message of this type can hold."""
    found = {} if found is None else found
    if descriptor.name not in found:
        found[descriptor.name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                fields_below(field.message_type, found)
    return found


def test_every_field_is_set_and_left_empty(seen):
    signal, what = seen
    fields = {f"{name}.{field.name}": field for name, descriptor in fields_below(REQUESTS[signal].DESCRIPTOR).items()
              for field in descriptor.fields}
    assert len(fields) > 40
    never_set = sorted(name for name in fields if not what.set[name])
    assert never_set == []
    wrappers = {name for name in fields if name.endswith("ServiceRequest." + next(
        field.name for field in REQUESTS[signal].DESCRIPTOR.fields))}  # a request without items is another test's
    never_empty = sorted(name for name in fields if not what.unset[name] and name not in REQUIRED | wrappers)
    assert never_empty == []


def test_numbers_reach_their_extremes(seen):
    signal, what = seen
    missing = []
    for name, descriptor in fields_below(REQUESTS[signal].DESCRIPTOR).items():
        for field in descriptor.fields:
            is_time = field.name in TIMES and name not in ("Event", "Exemplar")
            is_profile = field.name in ("key_strindex", "string_value_strindex")
            if field.cpp_type in EDGES and field.enum_type is None and not is_time and not is_profile:
                found = what.edges.get(f"{name}.{field.name}", set())
                missing += [f"{name}.{field.name} = {edge}" for edge in EDGES[field.cpp_type] if edge not in found]
    assert missing == []


def test_attributes_of_every_owner_have_every_kind(seen):
    _, what = seen
    kinds = {field.name for field in AnyValue.DESCRIPTOR.fields} | {None}
    owners = {owner: found for owner, found in what.kinds.items() if "ttributes" in owner or "metadata" in owner
              or owner.startswith("LogRecord.body")}
    assert len(owners) >= 3
    for owner, found in owners.items():
        assert kinds - found <= {"string_value_strindex"}, owner


def test_promoted_keys_and_long_keys_occur(seen):
    signal, what = seen
    named = {"traces": "spans", "logs": "logs"}.get(signal)
    if named:
        assert {key for promoted in (PROMOTED, PROMOTED_BY_TEST) for key, _ in promoted[named]} <= what.keys
    assert "" in what.keys and any(len(key.encode()) > 512 for key in what.keys)
    assert any("\U00010000" <= letter for key in what.keys for letter in key)


def test_values_of_their_own_kind():
    """NaN with a payload, long texts, deep nesting, days that differ."""
    maker = Maker(random.Random("values"))
    doubles = [maker.double() for _ in range(60_000)]
    assert sum(map(math.isnan, doubles)) > 100
    assert set(LONG_SIZES) <= {len(maker.text()) for _ in range(6000)}
    assert max(depth(maker.value()) for _ in range(6000)) > DEPTH_MAX - 5
    assert len({(BASE_NS - maker.time()) // DAY_NS for _ in range(1000)}) == 4


def depth(value):
    inner = value.array_value.values or [pair.value for pair in value.kvlist_value.values]
    return 1 + max(map(depth, inner), default=0)


def test_same_seed_same_request():
    one, other = (Maker(random.Random("same")).request("metrics") for _ in range(2))
    assert one.SerializeToString() == other.SerializeToString()


def test_shrinking_keeps_what_fails_and_little_else():
    request = Maker(random.Random("shrink/3")).request("traces")
    while not any(span.links for spans in request.resource_spans for scope in spans.scope_spans for span in scope.spans):
        request = Maker(random.Random(len(request.SerializeToString()))).request("traces")
    smallest = shrunk(request, lambda one: any(
        span.links for spans in one.resource_spans for scope in spans.scope_spans for span in scope.spans), 5000)
    assert len(smallest.SerializeToString()) <= 8  # four nested messages, all else empty
    assert list(differing_paths(smallest, smallest)) == []
    different = type(smallest)()
    different.CopyFrom(smallest)
    different.resource_spans[0].scope_spans[0].spans[0].links[0].flags = 3
    assert list(differing_paths(different, smallest)) == [
        "resource_spans[0].scope_spans[0].spans[0].links[0].flags: sent 3, stored 0"]
