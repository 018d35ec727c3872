# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a comparison that cannot fail would prove nothing."""

import math
import random

import pytest

from support import full, otlp
from support.normal import assert_same, normal
from support.otlp import SIGNALS, attribute
from support.random_otlp import Maker
from support.values import any_value

LOSS_COUNT = 60


def leaves(message, path=()):
    """Paths of all fields that are set: (name, index or None) steps."""
    for field, value in message.ListFields():
        elements = enumerate(value) if field.is_repeated else [(None, value)]
        for index, element in elements:
            step = (*path, (field.name, index))
            if field.message_type is None:
                yield step
            else:
                yield from leaves(element, step)


def drop(message, path):
    """Takes one leaf out, as a store that forgets it would."""
    for name, index in path[:-1]:
        message = getattr(message, name)
        if index is not None:
            message = message[index]
    name, index = path[-1]
    if index is None:
        message.ClearField(name)
    else:
        del getattr(message, name)[index]


@pytest.mark.parametrize("signal", SIGNALS)
def test_any_lost_field_is_seen(signal):
    """Of a request with every field set, one leaf at a time is taken out at random."""
    request = full.FULL[signal]()
    choice = random.Random(f"losses/{signal}")
    paths = [path for path in leaves(request) if is_kept(path, request)]
    for path in choice.sample(paths, LOSS_COUNT):
        damaged = type(request)()
        damaged.CopyFrom(request)
        drop(damaged, path)
        if damaged.SerializeToString() == request.SerializeToString():
            continue  # dropped an element equal to its neighbour's default
        with pytest.raises(AssertionError):
            assert_same(request, damaged)


def is_kept(path, request):
    """Whether the store must keep this leaf: not in an attribute that a later one of the same key hides."""
    message = request
    for name, index in path[:-1]:
        parent, message = message, getattr(message, name)
        if index is not None:
            message = message[index]
        if getattr(message, "key", None) is not None and index is not None:
            pairs = getattr(parent, name)
            if any(pair.key == message.key for pair in pairs[index + 1:]):
                return False
    names = {name for name, _ in path}
    return not names & {"trace_id", "span_id"} or "log_records" not in names


@pytest.mark.parametrize("signal", SIGNALS)
def test_normal_form_does_not_depend_on_order_or_grouping(signal):
    maker = Maker(random.Random(f"order/{signal}"))
    for _ in range(20):
        requests = [maker.request(signal) for _ in range(3)]
        forward, backward = type(requests[0])(), type(requests[0])()
        for request in requests:
            forward.MergeFrom(request)
        for request in reversed(requests):
            backward.MergeFrom(request)
        assert_same(forward, backward)
        assert_same(forward, normal(normal(backward)))


@pytest.mark.parametrize(("one", "other"), [
    (0.0, -0.0), (1, 1.0), (True, 1), ("1", 1), (b"a", "a"), (math.nan, math.inf), ("", otlp.AnyValue())])
def test_values_that_must_not_be_confused(one, other):
    number = otlp.unique()
    spans = [otlp.span(trace_id=otlp.trace_id(number), span_id=otlp.span_id(number), name="x", start_time_unix_nano=1,
                       end_time_unix_nano=2, attributes=[attribute("k", value)]) for value in (one, other)]
    requests = [otlp.request("traces", [span]) for span in spans]
    assert_same(requests[0], requests[0])
    with pytest.raises(AssertionError):
        assert_same(*requests)


@pytest.mark.parametrize(("form", "expected"), [
    ({"$double": "NaN"}, otlp.any_of(math.nan)), ({"$double": "-0.0"}, otlp.any_of(-0.0)),
    ({"$bytes": "AP8="}, otlp.any_of(b"\x00\xff")), (5, otlp.any_of(5)), (5.0, otlp.any_of(5.0)),
    (None, otlp.AnyValue()), ([], full.array()), ({}, full.kvlist()),
    ({"$kvlist": {"$double": 1}}, full.kvlist(attribute("$double", 1))),
    ({"$double": "x", "y": 1}, full.kvlist(attribute("$double", "x"), attribute("y", 1)))])
def test_value_forms(form, expected):
    assert any_value(form).SerializeToString() == expected.SerializeToString()


def test_a_lone_dollar_key_must_be_wrapped():
    with pytest.raises(AssertionError):
        any_value({"$other": 1})
