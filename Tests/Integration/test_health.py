# SPDX-License-Identifier: Apache-2.0
"""Liveness, readiness and health over HTTP, and grpc.health.v1: each says no for the right reason."""

import socket

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
import pytest

from conftest import Export
from support import otlp
from support.api import API, api_settings
from support.daemon import Daemon, free_port, run
from support.grpcwire import Answer, frame, headers
from support.locks import blocked, wait_for_blocked
from support.waiting import PATIENCE_SECONDS, eventually

OWN_CLUSTER = True
SERVICES = ["", "opentelemetry.proto.collector.trace.v1.TraceService",
            "opentelemetry.proto.collector.logs.v1.LogsService",
            "opentelemetry.proto.collector.metrics.v1.MetricsService"]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.fixture(autouse=True)
def cluster_runs(cluster):
    """Each test finds and leaves a running cluster."""
    yield
    if cluster.process is None or cluster.process.poll() is not None:
        cluster.process = None
        cluster.start()


@pytest.fixture
def observed(cluster_runs, database, start_server):
    """A ready daemon of its own for a test; (server, api)."""
    settings, api = api_settings(**{"database.writers": "1"})
    server = start_server(database, settings)
    api.wait_ready()
    yield server, api
    if server.daemon.is_running():
        assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture
def health(observed):
    server, _ = observed
    with server.channel() as channel:
        yield health_pb2_grpc.HealthStub(channel)


def check(health, service=""):
    return health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_SECONDS).status


# Paths and methods

@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/health", "/health/db", "/api/status"])
def test_get_and_head(observed, path):
    _, api = observed
    answer = api.request(path)
    assert answer.status == 200 and answer.body
    head = api.request(path, "HEAD")
    assert head.status == 200 and head.body == ""
    assert head.headers["Content-Type"] == answer.headers["Content-Type"]
    assert int(head.headers["Content-Length"]) > 0
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        refused = api.request(path, method)
        assert refused.status == 405 and refused.headers["Allow"] == "GET, HEAD", (method, refused)
        assert refused.json["status"] == 405


@pytest.mark.parametrize("path", ["/", "/nothing", "/metrics/more", "/health/", "/health/db/x", "/%00", "//"])
def test_unknown_paths(observed, path):
    _, api = observed
    answer = api.request(path)
    if path == "/health/":  # the same as without the slash
        assert answer.status == 200
        return
    assert answer.status == 404 and answer.json["error"], answer


def raw(api, request):
    """What comes back for bytes, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", api.address), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.parametrize("request_bytes", [
    b"GARBAGE\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (64 << 10) + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(2_000)) + b"\r\n"])
def test_bad_requests_end_their_connection_only(observed, request_bytes):
    _, api = observed
    assert b" 200 " not in raw(api, request_bytes).split(b"\r\n")[0]
    assert api.request("/livez").status == 200


# Liveness and readiness

def test_ready_and_live(observed):
    _, api = observed
    assert api.failing("/livez") == set()
    answer = api.request("/readyz").json
    assert answer["status"] == "ok"
    assert [check["name"] for check in answer["checks"]] == [
        "serving", "database", "schema", "partitions", "commits"]
    health = api.request("/health").json
    assert health["status"] == "ok" and health["failing"] == [] and health["version"] == "0.1.0"
    assert health["uptime_seconds"] >= 0
    database = api.wait_database("ok")
    assert database["schema"]["version"] == database["schema"]["wanted"]
    assert set(database["partitions_ahead_seconds"]) >= {"otel_spans_fact", "otel_logs_fact"}


def test_database_stops_and_returns(observed, cluster):
    _, api = observed
    cluster.stop()
    api.wait_failing("database")
    body = api.wait_database("down")
    assert body["reason"]
    assert api.failing("/livez") == set(), "a database that is away is no reason to restart the daemon"
    assert api.request("/health").status == 503
    assert api.metrics()['starling_database_state{state="down"}'] == 1
    cluster.start()
    api.wait_ready()
    api.wait_database("ok")


def test_database_turns_read_only(observed, cluster):
    """As a primary that is demoted, without its sessions being thrown out."""
    _, api = observed
    with cluster.connect() as admin:
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
    try:
        assert "read-only" in api.wait_database("read-only")["reason"]
        api.wait_failing("database")
    finally:
        with cluster.connect() as admin:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")
    api.wait_ready()


def test_schema_is_not_current(observed):
    server, api = observed
    with server.database.connect() as db:
        db.execute("CREATE TABLE kept AS SELECT * FROM schema_migrations")
        db.execute("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM kept)")
        try:
            assert "starling migrate" in api.wait_database("schema-not-current")["reason"]
            api.wait_failing("schema")
        finally:
            db.execute("INSERT INTO schema_migrations SELECT * FROM kept ON CONFLICT DO NOTHING")
            db.execute("DROP TABLE kept")
    api.wait_ready()


def test_schema_is_gone(observed):
    server, api = observed
    with server.database.connect() as db:
        db.execute("ALTER TABLE schema_migrations RENAME TO hidden")
        try:
            api.wait_database("schema-not-current")
        finally:
            db.execute("ALTER TABLE hidden RENAME TO schema_migrations")
    api.wait_ready()


def test_somebody_migrates(observed):
    """The schema is as it was until they are done: rows are still taken."""
    server, api = observed
    with server.database.connect() as db:
        db.execute("SELECT pg_advisory_lock(x'53746172'::int, 2)")
        api.wait_database("migrating")
        assert api.failing() == set()
    api.wait_database("ok")


def test_partitions_are_missing(cluster_runs, database, start_server):
    with database.connect() as db:
        for (name,) in db.execute("SELECT inhrelid::regclass::text FROM pg_inherits "
                                  "WHERE inhparent = 'otel_logs_fact'::regclass").fetchall():
            db.execute(f"DROP TABLE {name}")
        db.execute("SELECT pg_advisory_lock(x'53746172'::int, 1)")  # nobody makes partitions now
        settings, api = api_settings()
        start_server(database, settings)
        eventually(lambda: api.failing() == {"partitions"}, "/readyz to miss partitions")
        assert "otel_logs_fact" in api.request("/readyz").body
    api.wait_ready()


def test_draining(observed):
    """From SIGTERM on it is not ready, and says so to the end."""
    server, api = observed
    with server.channel() as channel:
        with blocked(server.database):
            request = otlp.request("traces")
            call = Export(channel).method(request).future(request, timeout=60)
            wait_for_blocked(server.database)
            server.daemon.terminate()
            api.wait_failing("serving")
            assert api.failing("/livez") == set()
            assert api.request("/health").json["status"] == "draining"
            assert api.metrics()["starling_draining"] == 1
            assert api.request("/api/status").json["stage"] == "draining"
        assert call.result().SerializeToString() == b""
    assert server.daemon.wait() == 0, server.daemon.output()


def test_batches_fail_for_long(observed):
    """The database answers, but what is written to it fails: seen by the commits, not by looking."""
    server, api = observed
    with server.database.connect() as db, server.channel() as channel:
        db.execute("ALTER TABLE otel_export_ledger RENAME TO hidden")
        try:
            request = otlp.request("traces")
            call = Export(channel).method(request).future(request, timeout=60)
            api.wait_failing("commits")
            assert api.wait_database("ok")
        finally:
            db.execute("ALTER TABLE hidden RENAME TO otel_export_ledger")
        api.wait_ready()
        call.cancel()


# Listening

def test_port_that_is_taken(binary, observed, database, scratch):
    server, api = observed
    result = run(binary, "serve", "--set", f"listen.api=127.0.0.1:{api.address}",
                 "--set", f"listen.grpc=127.0.0.1:{free_port()}", environment=database.environment)
    assert result.returncode == 1, result
    assert f"127.0.0.1:{api.address}" in result.stderr and "in use" in result.stderr, result.stderr
    assert "listen.api" in result.stderr, result.stderr


def test_port_of_the_kernel_is_said(binary, database, start_server):
    server = start_server(database, {"listen.api": "127.0.0.1:0"})
    line = next(line for line in server.daemon.stderr().splitlines() if "serving metrics" in line)
    api = API(int(line.rsplit(":", 1)[1]))
    assert api.request("/livez").status == 200
    listeners = api.request("/api/status").json["listeners"]
    assert listeners == {"grpc": server.endpoint, "api": f"127.0.0.1:{api.address}"}


def test_unix_socket(binary, database, start_server, scratch):
    path = scratch / "api"
    server = start_server(database, {"listen.api": f"unix:{path}"})
    api = API(path)
    api.wait_ready()
    assert path.stat().st_mode & 0o777 == 0o660
    taken = run(binary, "serve", "--set", f"listen.api=unix:{path}",
                "--set", f"listen.grpc=127.0.0.1:{free_port()}", environment=database.environment)
    assert taken.returncode == 1 and "in use" in taken.stderr, taken
    assert api.request("/livez").status == 200
    assert server.daemon.stop() == 0, server.daemon.output()
    assert not path.exists()


def test_off(binary, database, start_server):
    server = start_server(database, {"listen.api": ""})
    assert "metrics" not in server.daemon.stderr()
    with server.channel() as channel:
        assert check(health_pb2_grpc.HealthStub(channel)) == SERVING


# gRPC

@pytest.mark.parametrize("service", SERVICES)
def test_grpc_check(health, service):
    assert check(health, service) == SERVING


def test_grpc_check_with_gzip(health):
    request = health_pb2.HealthCheckRequest(service=SERVICES[1])
    assert health.Check(request, timeout=PATIENCE_SECONDS, compression=grpc.Compression.Gzip).status == SERVING


@pytest.mark.parametrize("service", ["nothing", "opentelemetry.proto.collector.trace.v1", "grpc.health.v1.Health"])
def test_grpc_check_of_what_is_not_there(health, service):
    with pytest.raises(grpc.RpcError) as caught:
        check(health, service)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_grpc_list(health):
    statuses = health.List(health_pb2.HealthListRequest(), timeout=PATIENCE_SECONDS).statuses
    assert {name: status.status for name, status in statuses.items()} == dict.fromkeys(SERVICES, SERVING)


@pytest.mark.parametrize("content", [b"\xff", b"\x0a\x05a", b"\x00\x00", b"\x0f"])
def test_grpc_bad_message(observed, content):
    server, _ = observed
    with server.channel() as channel:
        for method in ("Check", "Watch"):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(f"/grpc.health.v1.Health/{method}")(content, timeout=PATIENCE_SECONDS)
            assert caught.value.code() == grpc.StatusCode.INTERNAL, method


def test_grpc_large_message_is_refused(observed):
    server, _ = observed
    with server.channel() as channel:
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service="x" * 10_000), timeout=PATIENCE_SECONDS)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_grpc_watch_until_the_end(observed, health):
    """The state at once, NOT_SERVING from SIGTERM on, then an end that clients retry elsewhere."""
    server, api = observed
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=120)
    unknown = health.Watch(health_pb2.HealthCheckRequest(service="nothing"), timeout=120)
    assert next(watch).status == SERVING
    assert next(unknown).status == SERVICE_UNKNOWN
    server.daemon.terminate()
    assert next(watch).status == NOT_SERVING
    for call in (watch, unknown):
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert server.daemon.wait() == 0, server.daemon.output()


def test_grpc_health_follows_a_database_that_is_away_for_long(observed, health, cluster):
    _, api = observed
    watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICES[1]), timeout=240)
    assert next(watch).status == SERVING
    cluster.stop()
    assert next(watch).status == NOT_SERVING
    assert check(health) == NOT_SERVING
    cluster.start()
    assert next(watch).status == SERVING
    watch.cancel()
    eventually(lambda: check(health) == SERVING, "health to be serving")


def test_grpc_health_calls_are_not_among_the_requests(observed, health):
    _, api = observed
    for _ in range(3):
        check(health)
    samples = api.metrics()
    assert samples["starling_health_calls_total"] == 3
    assert samples["starling_requests_received_total"] == 0
    with pytest.raises(grpc.RpcError):
        check(health, "nothing")
    assert api.metrics()["starling_health_calls_total"] == 4


@pytest.mark.parametrize("head", [{"grpc_timeout": "x"}, {"grpc_encoding": "br"}])
def test_bad_calls_of_services_are_among_no_requests(observed, head):
    """What is answered is what was received, so that a health checker trips no alert."""
    server, api = observed
    with server.client() as client:
        for path in ("/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"):
            assert Answer(client.wait(client.open(headers(server.port, path=path, **head)))).code != 0
            stream = client.open(headers(server.port, path=path))
            client.send(stream, frame(b"\x0a\xff" * 3000), end_stream=True)
            client.wait(stream)
    samples = api.metrics()
    answered = [value for name, value in samples.items() if name.startswith("starling_requests_answered_total")]
    assert samples["starling_requests_received_total"] == sum(answered) == 0


def test_grpc_watches_are_many_and_go(observed):
    """Streams that are abandoned leave nothing behind."""
    server, api = observed
    with server.channel() as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for _ in range(3):
            watches = [health.Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(50)]
            assert [next(watch).status for watch in watches] == [SERVING] * 50
            for watch in watches:
                watch.cancel()
        assert check(health) == SERVING
    eventually(lambda: api.metrics()["starling_connections"] == 0, "the connection to be closed")


def test_grpc_watch_ends_with_its_deadline(observed, health):
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=1)
    assert next(watch).status == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        next(watch)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
