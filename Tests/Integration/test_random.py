# SPDX-License-Identifier: Apache-2.0
"""Random requests go in over gRPC and are rebuilt, bit by bit, from what the views show.

A case is one request. Its seed is STARLING_TEST_SEED, signal and number; a failure names it, with the fields that
differ and the smallest request that still fails. Then

    STARLING_TEST_CASE=traces/123 pytest Tests/Integration/test_random.py     runs that case alone
    STARLING_TEST_CASES=3400 pytest Tests/Integration/test_random.py          so many cases of each signal
    STARLING_TEST_SEED=7 pytest Tests/Integration/test_random.py              other cases
"""

from collections import Counter
import os
import random

from google.protobuf import text_format
import pytest

from conftest import FACT_TABLES
from support import rebuild, rebuild_metrics, rebuild_views
from support.attribute_rows import assert_same_attributes
from support.daemon import run
from support.normal import from_piece, pieces
from support.otlp import SIGNALS
from support.random_otlp import PROMOTED, PROMOTED_BY_TEST, Maker
from support.shrink import differing_paths, shrunk

SEED = os.environ.get("STARLING_TEST_SEED", "20261121")
CASE_COUNT = int(os.environ.get("STARLING_TEST_CASES", "1000"))
BATCH_COUNT = 250  # cases that are sent at once, and read back with one query per view
VIEWS = {"traces": rebuild_views.traces, "logs": rebuild_views.logs, "metrics": rebuild_views.metrics}
TABLES = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
SHOWN_PATHS_MAX = 20


def batches():
    """(signal, numbers of the cases of one batch)"""
    only = os.environ.get("STARLING_TEST_CASE")
    if only:
        signal, number = only.split("/")
        return [(signal, range(int(number), int(number) + 1))]
    return [(signal, range(first, min(first + BATCH_COUNT, CASE_COUNT)))
            for signal in SIGNALS for first in range(0, CASE_COUNT, BATCH_COUNT)]


def case(signal, number):
    return Maker(random.Random(f"{SEED}/{signal}/{number}")).request(signal)


@pytest.fixture(scope="module")
def starling(database, start_server, binary, tmp_path_factory):
    """A daemon with a promoted attribute of every type."""
    overrides = tmp_path_factory.mktemp("settings") / "overrides.yaml"
    lines = ["promote:"]
    for signal, pairs in PROMOTED_BY_TEST.items():
        lines += [f"  {signal}:", *(f"    {kind}: [{key}]" for key, kind in pairs)]
    overrides.write_text("\n".join(lines) + "\n")
    settings = {"attributes.overrides_file": str(overrides)}
    result = run(binary, "migrate", *(f"--set={key}={value}" for key, value in settings.items()),
                 environment=database.environment)
    assert result.returncode == 0, result.stderr
    server = start_server(database, settings)
    yield server
    assert server.daemon.stop() == 0, server.daemon.output()


def send(export, requests):
    calls = [export.method(request).future(request, timeout=120) for request in requests]
    for call in calls:
        assert call.result().SerializeToString() == b"", call.result()


@pytest.mark.parametrize("signal, numbers", batches(), ids=lambda value: str(value).replace("range", ""))
def test_round_trip(export, db, signal, numbers):
    cases = {number: case(signal, number) for number in numbers}
    send(export, cases.values())
    db.execute("SET jit = off")  # compiling takes longer than the queries
    db.execute("ANALYZE")  # which autovacuum has not come to yet
    sent = Counter()
    for request in cases.values():
        sent.update(pieces(request))
    if pieces(VIEWS[signal](db)) != sent:
        explain(export, db, signal, cases, VIEWS[signal])
    if numbers[0] == 0:  # in every way to read them, once
        assert_same_attributes(db, signal)
        if pieces(TABLES[signal](db)) != sent:
            explain(export, db, signal, cases, TABLES[signal])


def explain(export, db, signal, cases, read):
    """Fails with the first case that fails alone, made as small as it can be."""
    def differences(request):
        for table in FACT_TABLES:  # faster than TRUNCATE for a few rows
            db.execute(f"DELETE FROM {table}")
        unlike = type(request)()
        unlike.CopyFrom(request)
        unlike.MergeFromString(next_unknown_field())  # or it would be taken for a retry
        try:
            send(export, [unlike])
        except AssertionError:
            return None  # it has lost what makes it valid
        wanted, found = pieces(request), pieces(read(db))
        return list((wanted - found).elements()), list((found - wanted).elements())

    for number, request in cases.items():
        if not any(differences(request)):
            continue
        smallest = shrunk(request, lambda smaller: any(differences(smaller) or []))
        missing, unexpected = (
            [from_piece(type(request), piece) for piece in found] for found in differences(smallest))
        paths = [path for one in missing for path in nearest(one, unexpected)]
        raise AssertionError("\n".join([
            f"{signal}/{number} of seed {SEED} did not come back; STARLING_TEST_CASE={signal}/{number} runs it alone",
            *paths[:SHOWN_PATHS_MAX], "the smallest request that fails:", text_format.MessageToString(smallest)]))
    raise AssertionError(f"{signal} {cases.keys()} of seed {SEED} differ together, but not one of them alone")


def nearest(wanted, candidates):
    """In what the candidate differs that differs least."""
    return min((list(differing_paths(wanted, candidate)) for candidate in candidates), key=len,
               default=["nothing is stored"])


_unknown = iter(range(1, 1 << 20))


def next_unknown_field():
    number = next(_unknown)
    return b"\xc2\x3e\x03" + number.to_bytes(3, "big")  # field 1000, three bytes


def test_attributes_have_columns(starling, database):
    """What the generator believes to be promoted is."""
    with database.connect() as db:
        columns = set(db.execute("SELECT signal, key, type FROM otel_attribute_columns").fetchall())
    for promoted in (PROMOTED, PROMOTED_BY_TEST):
        assert {(signal, key, kind) for signal, pairs in promoted.items() for key, kind in pairs} <= columns


@pytest.mark.parametrize("damage, path", [
    ("UPDATE otel_spans_fact SET flags = COALESCE(flags, 0) # 1", "spans[0].flags: sent "),
    ("DELETE FROM otel_spans_fact", "nothing is stored")])
def test_damage_is_found_and_explained(export, db, damage, path):
    """What would be an error of the daemon is done to the rows before they are read."""
    cases = {number: case("traces", number) for number in range(3)}

    def read_damaged(connection):
        connection.execute(damage)
        return VIEWS["traces"](connection)

    with pytest.raises(AssertionError) as failure:
        explain(export, db, "traces", cases, read_damaged)
    text = str(failure.value)
    assert "STARLING_TEST_CASE=traces/" in text and path in text
    assert text.count("spans {") <= 3, "not made small"  # resource_spans, scope_spans, spans
