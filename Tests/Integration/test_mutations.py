# SPDX-License-Identifier: Apache-2.0
"""Valid requests with damaged bytes: refused, or understood exactly as Google's parser understands them.

The seed is fixed, and printed with a failure; STARLING_TEST_SEED tries another.
"""

import os
import random

from google.protobuf.message import DecodeError
import pytest

from support import otlp, rebuild, rebuild_metrics
from support.grpcwire import INVALID_ARGUMENT, OK, RESOURCE_EXHAUSTED, assert_error
from support.lenient import LENIENT
from support.normal import LEVELS, assert_same
from support.otlp import REJECTED_FIELDS, REQUESTS, RESPONSES, SIGNALS
from support.random_otlp import Maker
from support.rawcall import assert_serves, export

SEED = int(os.environ.get("STARLING_TEST_SEED", "20261121"))
ROUND_COUNT = 300
REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
TABLES = {"traces": ["otel_spans_fact"], "logs": ["otel_logs_fact"],
          "metrics": [f"otel_metrics_data_points_{table}" for table in rebuild_metrics.TABLES]}


def damaged(choice, wire):
    """One to three changes: a bit, a byte, a piece left out, repeated or moved, the end cut off."""
    wire = bytearray(wire)
    for _ in range(choice.randint(1, 3)):
        if not wire:
            break
        place = choice.randrange(len(wire))
        size = choice.randint(1, 8)
        piece = wire[place:place + size]
        kind = choice.randrange(8)
        if kind <= 2:
            wire[place] ^= 1 << choice.randrange(8)
        elif kind == 3:
            wire[place] = choice.randrange(256)
        elif kind == 4:
            del wire[place:place + size]
        elif kind == 5:
            wire[place:place] = piece * choice.randint(1, 20)
        elif kind == 6:
            other = choice.randrange(len(wire))
            wire[other:other + size] = piece
        else:
            del wire[place + 1:]
    return bytes(wire)


def item_count(signal, request):
    """Spans, log records or data points."""
    outer, inner, level = LEVELS[REQUESTS[signal]]
    items = [item for envelope in getattr(request, outer) for scope in getattr(envelope, inner)
             for item in getattr(scope, level)]
    if signal != "metrics":
        return len(items)
    return sum(len(getattr(item, item.WhichOneof("data")).data_points) for item in items if item.WhichOneof("data"))


def stored_count(db, signal):
    return sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES[signal])


def strictly_parsed(signal, wire):
    """The request, or None where it holds a text that is not UTF-8 (in an envelope without items, say)."""
    try:
        return REQUESTS[signal].FromString(wire)
    except DecodeError:
        return None


@pytest.mark.parametrize("signal", SIGNALS)
def test_damaged_requests(client, starling, db, signal):
    understood = 0
    for turn in range(ROUND_COUNT):
        seed = f"{SEED}/{signal}/{turn}"
        print(f"seed {seed}")
        choice = random.Random(seed)
        request = Maker(choice).request(signal)
        request.MergeFrom(otlp.request(signal))
        wire = damaged(choice, request.SerializeToString())
        answer = export(client, starling, signal, wire)
        if answer.code != OK:
            assert_error(answer, [INVALID_ARGUMENT, RESOURCE_EXHAUSTED])
            assert stored_count(db, signal) == 0
            continue
        rejected = getattr(RESPONSES[signal].FromString(answer.body).partial_success, REJECTED_FIELDS[signal])
        assert stored_count(db, signal) + rejected == item_count(signal, LENIENT[signal].FromString(wire))
        understood += 1
        if not rejected and (request := strictly_parsed(signal, wire)):
            assert_same(request, REBUILD[signal](db))
        db.execute(f"TRUNCATE {', '.join(TABLES[signal])}")
    assert understood > ROUND_COUNT / 5, "most of it was refused: this shows little"
    db.execute("TRUNCATE otel_spans_fact")
    assert_serves(client, starling, db)
