# SPDX-License-Identifier: Apache-2.0
"""Two daemons on one database: they agree on dimensions and partitions without talking to each other."""

import random

import grpc
import pytest

from conftest import Export
from support import otlp, rebuild, rebuild_metrics
from support.locks import blocked, wait_for_blocked
from support.normal import assert_same, merge
from support.otlp import SIGNALS
from support.random_otlp import Maker

REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
DAY_NS = 24 * 3600 * 10**9
HASHES = {"otel_resources_dim": "resource_hash", "otel_scopes_dim": "scope_hash", "otel_metrics_dim": "metric_hash",
          "otel_operations_dim": "operation_hash", "otel_metric_series_dim": "series_hash",
          "otel_histogram_bounds_dim": "bounds_hash", "attribute_keys": "key"}


@pytest.fixture(scope="module")
def pair(database, start_server):
    servers = [start_server(database) for _ in range(2)]
    yield servers
    for server in servers:
        assert server.daemon.stop() == 0, server.daemon.output()


def send_to_both(pair, requests):
    """Every request to one of the two, all at once; they must all be acknowledged."""
    channels = [server.channel() for server in pair]
    exports = [Export(channel) for channel in channels]
    calls = [exports[number % 2].method(request).future(request, timeout=60) for number, request in enumerate(requests)]
    for call in calls:
        assert call.result().SerializeToString() == b""
    for channel in channels:
        channel.close()


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("signal", SIGNALS)
def test_the_same_new_dimensions_at_the_same_time(pair, db, signal, turn):
    """Both are sent the same new resources, scopes, metrics and series, in different order.

    Each request goes to both, twice, as retries of one another: it is stored once.
    """
    maker = Maker(random.Random(f"pair/{signal}/{turn}"))
    shared = [maker.request(signal) for _ in range(20)]
    order = [*shared, *reversed(shared)]
    send_to_both(pair, [request for both in zip(order, order[::-1]) for request in both])
    assert_same(merge(shared), REBUILD[signal](db))
    for table, column in HASHES.items():
        assert db.execute(f"SELECT count(*) - count(DISTINCT {column}) FROM {table}").fetchone() == (0,)


def test_the_same_new_partitions_at_the_same_time(pair, db):
    """A day that nobody has written to before, from both sides at once."""
    for days in range(1, 15):
        requests = [otlp.request("traces", [otlp.span(start_time_unix_nano=otlp.BASE_NS - days * DAY_NS)])
                    for _ in range(4)]
        send_to_both(pair, requests)
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (56,)


def test_log_ids_do_not_collide(pair, db):
    send_to_both(pair, [otlp.request("logs", [otlp.log_record() for _ in range(20)]) for _ in range(20)])
    assert db.execute("SELECT count(*), count(DISTINCT log_id) FROM otel_logs_fact").fetchone() == (400, 400)


def test_a_retry_of_what_hangs_elsewhere_holds_nobody_up(database, start_server, db):
    """One daemon hangs before COMMIT; at the other, what stands behind a retry of that is stored all the same."""
    settings = {"database.writers": "1", "database.statement_timeout": "120s", "limits.request_deadline": "100s"}
    servers = [start_server(database, settings) for _ in range(2)]
    request = otlp.request("traces")
    with servers[0].channel() as first, servers[1].channel() as second:
        hanging, other = Export(first).method(request), Export(second)
        # Writers that are connected, and know partition and dimensions: what waits is the export then.
        for channel in (first, second):
            Export(channel)(otlp.request("traces"))
        with blocked(database):
            held = hanging.future(request, timeout=100)
            wait_for_blocked(database)
            retry = other.method(request).future(request, timeout=60)
            wait_for_blocked(database, 2)
            logs = otlp.request("logs")
            assert other(logs, timeout=60).SerializeToString() == b""
            assert retry.exception().code() == grpc.StatusCode.UNAVAILABLE
            assert not held.done()
        assert held.result().SerializeToString() == b""
        assert other(request).SerializeToString() == b""
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (3,)
    for server in servers:
        assert server.daemon.stop() == 0, server.daemon.output()
