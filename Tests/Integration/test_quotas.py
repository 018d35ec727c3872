# SPDX-License-Identifier: Apache-2.0
"""Quotas of tokens: what goes beyond is told to come back, counted, and arrives once in the end."""

import json
import threading

import grpc
from google.rpc import status_pb2
import pytest

from conftest import FACT_TABLES, Export
from support import otlp
from support.api import api_settings
from support.daemon import run
from support.grpcwire import PATHS, RETRY_SECONDS_MAX, retry_seconds
from support.tokens import Tokens, bearer


@pytest.fixture
def db(database):
    connection = database.connect()
    connection.execute(f"TRUNCATE otel_loss_ledger, {', '.join(FACT_TABLES)}")
    yield connection
    connection.close()


@pytest.fixture
def tokens(binary, database, db):
    db.execute("TRUNCATE otel_tokens")
    return Tokens(binary, database)


@pytest.fixture
def start(database, start_server):
    settings, api = api_settings(**{"auth.required": "true", "server.loops": "2"})

    def start():
        server = start_server(database, settings)
        return server, api
    return start


def spans(count):
    return otlp.request("traces", [otlp.span() for _ in range(count)])


def delay_of(error):
    """The RetryInfo of an answer, in seconds, or None."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    return retry_seconds(status_pb2.Status.FromString(details)) if details else None


def throttled(export, request, secret):
    """The delay that the answer asks for."""
    with pytest.raises(grpc.RpcError) as refused:
        export(request, metadata=bearer(secret))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, refused.value
    delay = delay_of(refused.value)
    assert 0 < delay <= RETRY_SECONDS_MAX
    assert "per second" in refused.value.details()
    return delay


@pytest.mark.parametrize(("options", "limit"), [
    (["--rate-items", "10"], "10 items"), (["--rate-bytes", "1KiB"], "1024 bytes"),
    (["--rate-items", "10", "--rate-bytes", "1GiB"], "10 items and 1073741824 bytes")])
def test_beyond_the_quota(start, tokens, db, options, limit):
    """A request beyond it is let in once, and leaves a debt of minutes: so what follows does not depend on time."""
    secret, other = tokens.secret("--tenant", "acme", *options), tokens.secret()
    server, api = start()
    with server.channel() as channel:
        export = Export(channel)
        export(spans(1000), metadata=bearer(secret))
        for _ in range(3):
            assert throttled(export, spans(7), secret) == RETRY_SECONDS_MAX
        # Others are not concerned.
        export(spans(5), metadata=bearer(other))
    assert server.daemon.stop() == 0
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1005,)
    rows = db.execute("SELECT tenant, sum(received)::int, sum(committed)::int, sum(refused)::int "
                      "FROM otel_loss_ledger GROUP BY 1 ORDER BY 1").fetchall()
    assert rows == [("", 5, 5, 0), ("acme", 1021, 1000, 21)]


def test_what_is_stored_already_costs_nothing(start, tokens, db):
    """A retry of what is committed is answered, whatever is owed."""
    secret = tokens.secret("--rate-items", "1")
    server, _ = start()
    request = spans(1000)
    with server.channel() as channel:
        export = Export(channel)
        for _ in range(3):
            export(request, metadata=bearer(secret))
        throttled(export, spans(1), secret)
    assert server.daemon.stop() == 0
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1000,)


def test_much_work_is_not_done_for_who_owes(start, tokens, db):
    """What a loop would not decode by itself is turned away unread, so nobody knows how many items it had."""
    secret, other = tokens.secret("--rate-items", "1"), tokens.secret()
    server, _ = start()
    large = otlp.request("traces", [otlp.span(trace_state="x" * (600 << 10))])
    with server.channel() as channel:
        export = Export(channel)
        export(spans(1000), metadata=bearer(secret))
        assert throttled(export, large, secret) == RETRY_SECONDS_MAX
        assert throttled(export, spans(7), secret) == RETRY_SECONDS_MAX
        export(large, metadata=bearer(other))
    assert server.daemon.stop() == 0
    assert db.execute("SELECT sum(received)::int, sum(committed)::int, sum(refused)::int FROM otel_loss_ledger"
                      ).fetchone() == (1008, 1001, 7)


def test_what_is_refused_is_charged_for(start, tokens):
    """As many bytes as it is unpacked to."""
    secret = tokens.secret("--rate-bytes", "1KiB")
    server, _ = start()
    with server.channel() as channel:
        call = channel.unary_unary(PATHS["traces"])
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\xff" * 300_000, metadata=bearer(secret), compression=grpc.Compression.Gzip)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, refused.value
        assert throttled(Export(channel), spans(1), secret) == RETRY_SECONDS_MAX
    assert server.daemon.stop() == 0


def test_what_holds_nothing_is_charged_for(start, tokens):
    """It is as much work as what is stored."""
    secret = tokens.secret("--rate-bytes", "1KiB")
    server, _ = start()
    request = otlp.request("traces", [])
    request.resource_spans[0].resource.attributes.add(key="x").value.string_value = "x" * 300_000
    with server.channel() as channel:
        export = Export(channel)
        export(request, metadata=bearer(secret))
        assert throttled(export, spans(1), secret) == RETRY_SECONDS_MAX
    assert server.daemon.stop() == 0


def test_metrics_tell(start, tokens):
    secret, reader = tokens.secret("--rate-items", "1"), tokens.secret("--scope", "read")
    server, api = start()
    with server.channel() as channel:
        export = Export(channel)
        export(spans(1000), metadata=bearer(secret))
        throttled(export, spans(3), secret)
    metrics = api.metrics(authorization=f"Bearer {reader}")
    assert metrics['starling_requests_answered_total{outcome="throttled"}'] == 1
    assert metrics['starling_items_settled_total{outcome="refused",signal="traces"}'] == 3
    assert server.daemon.stop() == 0


def test_who_comes_back_loses_nothing(start, tokens, db):
    """Clients on several connections that honour RetryInfo: everything arrives, once."""
    rate, count, size = 400, 6, 100
    secret = tokens.secret("--rate-items", str(rate))
    server, _ = start()
    delays, errors, aborted = [], [], threading.Event()

    def client():
        try:
            with server.channel() as channel:
                export = Export(channel)
                for _ in range(count):
                    request = spans(size)
                    while True:
                        try:
                            export(request, metadata=bearer(secret))
                            break
                        except grpc.RpcError as error:
                            delay = delay_of(error)
                            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and delay, error
                            delays.append(delay)
                            aborted.wait(delay)  # as the server says
        except BaseException as error:
            errors.append(error)
            aborted.set()

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    total = len(threads) * count * size
    assert db.execute("SELECT count(*), count(DISTINCT span_id) FROM otel_spans_fact").fetchone() == (total, total)
    assert delays
    assert server.daemon.stop() == 0


def test_send_verb_comes_back(binary, start, tokens, db):
    secret = tokens.secret("--rate-items", "2000")
    server, _ = start()
    result = run(binary, "send", "traces", "--count", "8000", "--batch", "500", "--connections", "2", "--json",
                 "--endpoint", server.endpoint, environment={"STARLING_TOKEN": secret})
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report["acknowledged"] == 8000 and report["retries"] > 0, result
    assert db.execute("SELECT count(*), count(DISTINCT span_id) FROM otel_spans_fact").fetchone() == (8000, 8000)
    assert server.daemon.stop() == 0
