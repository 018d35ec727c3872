# SPDX-License-Identifier: Apache-2.0
"""Outages with a spool on disk: exports are acknowledged, kept, and stored exactly once."""

import shutil
import signal
import threading

import grpc
import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.daemon import run
from support.locks import blocked, wait_for_blocked
from support.waiting import eventually

OWN_CLUSTER = True


@pytest.fixture(autouse=True)
def cluster_runs(cluster):
    yield
    if cluster.process is None or cluster.process.poll() is not None:
        cluster.process = None
        cluster.start()


@pytest.fixture
def start(cluster_runs, database, start_server, scratch):
    """Starts a daemon on the one spool of the test."""
    def start(**settings):
        return start_server(database, {
            "spool.directory": str(scratch / "spool"), "database.writers": "2",
            "database.connect_timeout": "2s"} | {name.replace("__", "."): value for name, value in settings.items()})
    return start


def spool_files(scratch, suffix=".spool"):
    return sorted(path for path in (scratch / "spool").iterdir() if path.name.endswith(suffix))


def send(export, count, acknowledged):
    """Sends `count` requests of one span each; every one is acknowledged."""
    for _ in range(count):
        span = otlp.span()
        response = export(otlp.request("traces", [span]), timeout=30)
        assert response.SerializeToString() == b""
        acknowledged.append(span.span_id)


def stored_ids(database):
    with database.connect() as db:
        return sorted(number.to_bytes(8, "big", signed=True)
                      for number, in db.execute("SELECT span_id FROM otel_spans_fact"))


def wait_until_stored(server, ids, scratch):
    """Exactly these, once each, and nothing left on disk."""
    eventually(lambda: len(stored_ids(server.database)) >= len(ids), f"{len(ids)} spans", seconds=60)
    eventually(lambda: not spool_files(scratch), "an empty spool", seconds=60)
    assert stored_ids(server.database) == sorted(ids)


def stop(server):
    assert server.daemon.stop() == 0, server.daemon.output()


def kill(server):
    server.daemon.process.kill()
    server.daemon.process.wait()


def test_outage_is_shown(start, cluster, db, scratch, binary):
    """By status, /health and metrics."""
    settings, api = api_settings()
    server = start(**{name.replace(".", "__"): value for name, value in settings.items()})
    api.wait_ready()
    ids = []
    with server.channel() as channel:
        export = Export(channel)
        send(export, 1, ids)
        assert api.metrics()['starling_breaker_state{state="closed"}'] == 1
        cluster.stop()
        send(export, 20, ids)
        metrics = api.metrics()
        assert metrics['starling_breaker_state{state="closed"}'] == 0
        assert metrics["starling_spool_records"] == 20 and metrics["starling_spool_bytes"] > 0
        assert metrics["starling_spool_ready"] == 1 and metrics["starling_exports_spooled_total"] == 20
        status = api.request("/api/status").json
        assert status["breaker"]["state"] in ("open", "half_open") and status["breaker"]["last_error"]
        assert status["spool"]["records"] == 20 and status["spool"]["ready"]
        eventually(lambda: api.request("/health").json["database"] == "down", "the outage in /health")
        assert api.request("/health").json["spool"]["records"] == 20
        screen = run(binary, "status", "--api", f"127.0.0.1:{api.address}").stdout
        assert "20 requests wait" in screen and "failures" in screen, screen
        cluster.start()
        wait_until_stored(server, ids, scratch)
        eventually(lambda: api.metrics()['starling_breaker_state{state="closed"}'] == 1, "a closed breaker")
        assert api.metrics()["starling_exports_replayed_total"] == 20
    stop(server)


def test_outage_is_bridged(start, cluster, db, scratch):
    """Stopped: exports are acknowledged all the same. Started: they are stored, while others come in."""
    server = start()
    ids = []
    with server.channel() as channel:
        export = Export(channel)
        send(export, 3, ids)
        cluster.stop()
        send(export, 40, ids)
        assert spool_files(scratch)
        cluster.start()
        send(export, 40, ids)
        wait_until_stored(server, ids, scratch)
        send(export, 3, ids)
    assert stored_ids(server.database) == sorted(ids)
    stop(server)


@pytest.mark.parametrize("signal_name", otlp.SIGNALS)
def test_what_was_spooled_is_stored_as_it_came(start, cluster, database, db, scratch, signal_name):
    """The same request before the outage and in it are one: what is packed again reads the same."""
    from support import rebuild, rebuild_metrics
    from support.normal import assert_same
    request = otlp.request(signal_name)
    server = start()
    with server.channel() as channel:
        cluster.stop()
        assert Export(channel)(request).SerializeToString() == b""
        cluster.start()
    eventually(lambda: not spool_files(scratch), "an empty spool", seconds=60)
    rebuilt = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}[signal_name]
    with database.connect() as other:
        assert_same(request, rebuilt(other))
        for table in ("otel_spans_fact", "otel_logs_fact", "otel_metrics_data_points_number"):
            other.execute(f"TRUNCATE {table}")
    stop(server)


def test_killed_in_an_outage_and_started_in_it(start, cluster, db, scratch):
    """SIGKILL while the database is away; the next daemon starts without it, and takes more."""
    server = start()
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    kill(server)
    server = start()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    cluster.start()
    wait_until_stored(server, ids, scratch)
    stop(server)


def test_stopped_in_an_outage(start, cluster, db, scratch):
    """SIGTERM: what is on disk stays for the next start."""
    server = start()
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    stop(server)
    cluster.start()
    server = start()
    wait_until_stored(server, ids, scratch)
    stop(server)


def test_killed_in_replay(start, cluster, db, scratch):
    """SIGKILL as soon as something is replayed, again and again: each record is stored once."""
    server = start(spool__segment_bytes="64KiB", batch__rows_max="1", database__writers="1")
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 200, ids)
    cluster.start()
    for _ in range(4):
        count = len(stored_ids(server.database))
        eventually(lambda: len(stored_ids(server.database)) > count or not spool_files(scratch), "progress")
        kill(server)
        server = start(spool__segment_bytes="64KiB", batch__rows_max="1", database__writers="1")
    wait_until_stored(server, ids, scratch)
    stop(server)


def test_killed_in_replay_and_the_ledger_forgot(start, cluster, database, db, scratch):
    """However long the daemon was away: the record's own mark is enough."""
    server = start(batch__rows_max="1", database__writers="1")
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 100, ids)
    cluster.start()
    eventually(lambda: stored_ids(database), "progress")
    kill(server)
    with database.connect() as other:
        other.execute("TRUNCATE otel_export_ledger")
    server = start()
    wait_until_stored(server, ids, scratch)
    stop(server)


def test_retry_of_what_is_in_the_spool(start, cluster, db, scratch):
    """A client that did not hear the answer sends again: in the outage, after it, and after a restart."""
    server = start()
    request = otlp.request("traces")
    ids = [request.resource_spans[0].scope_spans[0].spans[0].span_id]
    with server.channel() as channel:
        cluster.stop()
        for _ in range(3):
            assert Export(channel)(request).SerializeToString() == b""
    kill(server)
    server = start()
    with server.channel() as channel:
        assert Export(channel)(request).SerializeToString() == b""
        cluster.start()
        assert Export(channel)(request).SerializeToString() == b""
        wait_until_stored(server, ids, scratch)
        assert Export(channel)(request).SerializeToString() == b""
    assert stored_ids(server.database) == ids
    stop(server)


def test_full_spool(start, cluster, db, scratch):
    """Past spool.bytes_max: UNAVAILABLE with a delay, and what was acknowledged is stored."""
    server = start(spool__bytes_max="2MiB", spool__segment_bytes="256KiB", limits__request_bytes_max="1MiB",
                   limits__request_deadline="2s")
    ids, refusals = [], []
    cluster.stop()
    with server.channel() as channel:
        export = Export(channel)
        for _ in range(200):
            span = otlp.span(name="x" * 40_000)
            try:
                export(otlp.request("traces", [span]), timeout=10)
                ids.append(span.span_id)
            except grpc.RpcError as error:
                refusals.append(error.code())
            if len(refusals) >= 3:
                break
    assert ids and len(refusals) == 3
    assert set(refusals) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert sum(path.stat().st_size for path in spool_files(scratch)) <= 2 << 20
    cluster.start()
    eventually(lambda: set(ids) <= set(stored_ids(server.database)), "what was acknowledged", seconds=60)
    stop(server)


def test_what_a_full_spool_refuses_is_in_the_loss_ledger(start, cluster, db, scratch):
    """With `ack: spool` all of it is refused by the thread that fills the spool."""
    db.execute("TRUNCATE otel_loss_ledger")
    server = start(spool__bytes_max="2MiB", spool__segment_bytes="256KiB", limits__request_bytes_max="1MiB",
                   durability__ack="spool")
    ids, refused_count = [], 0
    cluster.stop()
    with server.channel() as channel:
        export = Export(channel)
        while refused_count < 3:
            span = otlp.span(name="x" * 40_000)
            try:
                export(otlp.request("traces", [span]), timeout=30)
                ids.append(span.span_id)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                refused_count += 1
    cluster.start()
    wait_until_stored(server, ids, scratch)
    stop(server)
    with server.database.connect() as connection:
        sums = connection.execute("SELECT sum(received), sum(committed), sum(refused) FROM otel_loss_ledger").fetchone()
    assert sums == (len(ids) + refused_count, len(ids), refused_count)


def test_database_that_hangs(start, database, db, scratch):
    """No error, no answer: what waits for too long goes to the spool."""
    server = start(database__statement_timeout="60s")
    ids, threads = [], []
    with server.channel() as channel, blocked(database):
        export = Export(channel)
        stuck = [otlp.span() for _ in range(2)]
        for span in stuck:
            threads.append(threading.Thread(
                target=lambda span=span: export(otlp.request("traces", [span]), timeout=60)))
            threads[-1].start()
            wait_for_blocked(database)
        # Both writers may be stuck now, or one; those behind are acknowledged all the same.
        eventually(lambda: is_spooled(export, ids, scratch), "an acknowledgement from the spool")
    for thread in threads:
        thread.join()
    wait_until_stored(server, ids + [span.span_id for span in stuck], scratch)
    stop(server)


def is_spooled(export, ids, scratch):
    calls = []
    for _ in range(4):
        request = otlp.request("traces")
        ids.append(request.resource_spans[0].scope_spans[0].spans[0].span_id)
        calls.append(export.method(request).future(request, timeout=60))
    eventually(lambda: any(call.done() for call in calls) or spool_files(scratch), "an answer", seconds=60)
    return bool(spool_files(scratch))


@pytest.mark.parametrize("ack", ["spool", "buffer"])
def test_weaker_acknowledgements(start, database, cluster, db, scratch, ack):
    """Answered while nothing can be stored; stored once it can."""
    server = start(durability__ack=ack)
    ids = []
    with server.channel() as channel:
        export = Export(channel)
        with blocked(database):
            send(export, 5, ids)
        wait_until_stored(server, ids, scratch)
        cluster.stop()
        send(export, 20, ids)
        cluster.start()
        wait_until_stored(server, ids, scratch)
    stop(server)


def test_spool_has_one_owner(start, database, start_server, scratch):
    server = start()
    with pytest.raises(AssertionError, match="in use by another daemon"):
        start()
    stop(server)


def test_damaged_record(start, cluster, db, scratch):
    """Flipped bits cost one record, which is counted and said; the file is kept."""
    server = start()
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    kill(server)
    (path,) = spool_files(scratch)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    cluster.start()
    server = start()
    eventually(lambda: spool_files(scratch, ".damaged"), "the damaged file", seconds=60)
    stored = stored_ids(server.database)
    assert len(stored) == 19 and set(stored) < set(ids)
    assert "damaged" in server.daemon.stderr()
    stop(server)


def test_an_outage_ends_with_records_that_are_known(start, cluster, db, scratch):
    """What the first attempts find is stored already: that is an answer, and the rest follows at once."""
    server = start()
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    shutil.copytree(scratch / "spool", scratch / "early")
    cluster.start()
    wait_until_stored(server, ids, scratch)
    cluster.stop()
    kill(server)
    shutil.copytree(scratch / "early", scratch / "spool", dirs_exist_ok=True)
    server = start()
    with server.channel() as channel:
        send(Export(channel), 5, ids)
    cluster.start()
    wait_until_stored(server, ids, scratch)
    stop(server)


def test_numbers_that_come_again_after_damage(start, cluster, db, scratch):
    """All segments gone, and the cursor as it was before their replay: what the database knows is of the others."""
    server = start()
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    cursor = scratch / "spool" / "cursor"
    early = cursor.read_bytes()
    cluster.start()
    wait_until_stored(server, ids, scratch)
    cluster.stop()
    kill(server)
    cursor.write_bytes(early)
    server = start()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    cluster.start()
    wait_until_stored(server, ids, scratch)
    stop(server)


def test_counters_balance_in_every_life(start, cluster, db, scratch):
    """Spooled by one life, replayed by the next: neither has received more or less than it accounts for."""
    settings, api = api_settings()
    settings = {name.replace(".", "__"): value for name, value in settings.items()}
    server = start(**settings)
    ids = []
    cluster.stop()
    with server.channel() as channel:
        send(Export(channel), 20, ids)
    assert items(api) == {"received": 20, "spooled": 20}
    kill(server)
    server = start(**settings)
    with server.channel() as channel:
        send(Export(channel), 5, ids)
        cluster.start()
        wait_until_stored(server, ids, scratch)
        send(Export(channel), 1, ids)
    assert items(api) == {"received": 6, "replayed": 25, "spooled": 5, "committed": 26}
    signals = api.request("/api/status").json["signals"]["traces"]
    assert (signals["spooled"], signals["replayed"]) == (5, 25)
    stop(server)


def items(api):
    """What the daemon has counted of spans, without zeros."""
    samples = api.metrics()
    counts = {name: samples[f'starling_items_{name}_total{{signal="traces"}}'] for name in ("received", "replayed")}
    for outcome in ("committed", "dead_lettered", "deduplicated", "refused", "spooled"):
        counts[outcome] = samples[f'starling_items_settled_total{{outcome="{outcome}",signal="traces"}}']
    return {name: count for name, count in counts.items() if count}


def test_hung_server_and_another_one(start_server, database, cluster, db, scratch, binary):
    """SIGSTOP of everything the first server is: noticed, and what came meanwhile is stored once."""
    server = start_server(database, {
        "spool.directory": str(scratch / "spool"), "database.writers": "2", "database.connect_timeout": "1s",
        "database.statement_timeout": "1s"})
    ids = []
    with server.channel() as channel:
        export = Export(channel)
        send(export, 3, ids)
        pids = [pid for pid, in db.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
        for pid in [cluster.process.pid, *pids]:
            signal_process(pid, signal.SIGSTOP)
        try:
            send(export, 20, ids)
        finally:
            for pid in [cluster.process.pid, *pids]:
                signal_process(pid, signal.SIGCONT)
        wait_until_stored(server, ids, scratch)
    stop(server)


def signal_process(pid, number):
    import os
    os.kill(pid, number)
