# SPDX-License-Identifier: Apache-2.0
"""A token with a tenant sends for that tenant, whatever its holder says, and wherever its telemetry goes."""

import grpc
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from conftest import FACT_TABLES, Export
from support import otlp, rebuild, rebuild_metrics
from support.api import api_settings
from support.daemon import run
from support.normal import assert_same, merge
from support.otlp import SCOPE_LEVELS, SIGNALS
from support.tokens import Tokens, bearer, wait_for_list
from support.waiting import eventually
from test_dead_letters import refusing
from test_duplicates import accepted

OWN_CLUSTER = True
REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
TENANT = "tenant.id"
# What a client may say about a tenant that is not its own.
SPOOFS = {
    "nothing": [], "another": [otlp.attribute(TENANT, "globex")], "its own": [otlp.attribute(TENANT, "acme")],
    "a number": [otlp.attribute(TENANT, 7)], "bytes": [otlp.attribute(TENANT, b"globex")],
    "empty": [otlp.attribute(TENANT, "")],
    "twice": [otlp.attribute(TENANT, "globex"), otlp.attribute(TENANT, "initech")],
    "around": [otlp.attribute(TENANT, "globex"), otlp.attribute("a", "b"), otlp.attribute(TENANT, "acme")],
    "nested": [otlp.attribute(TENANT, otlp.nested(5))],
}


@pytest.fixture(autouse=True)
def cluster_runs(cluster):
    yield
    if cluster.process is None or cluster.process.poll() is not None:
        cluster.process = None
        cluster.start()


@pytest.fixture
def db(database):
    connection = database.connect()
    connection.execute(f"TRUNCATE otel_dead_letters, otel_loss_ledger, {', '.join(FACT_TABLES)}")
    yield connection
    connection.close()


@pytest.fixture
def secrets(binary, database):
    """acme and globex have tenants, free has none."""
    with database.connect() as db:
        db.execute("TRUNCATE otel_tokens")
    tokens = Tokens(binary, database)
    return {"acme": tokens.secret("--tenant", "acme"), "globex": tokens.secret("--tenant", "globex"),
            "free": tokens.secret()}


@pytest.fixture
def start(database, start_server, secrets):
    servers = []

    def start(**settings):
        server = start_server(database, {"auth.required": "true", "database.writers": "1"} | settings)
        servers.append(server)
        return server

    yield start
    for server in servers:
        assert server.daemon.stop() == 0, server.daemon.output()


def of_tenant(request, tenant):
    """A copy of the request as it is to be stored."""
    result = type(request).FromString(request.SerializeToString())
    envelopes = next(levels for signal, levels in SCOPE_LEVELS.items() if otlp.REQUESTS[signal] is type(request))[0]
    for envelope in getattr(result, envelopes):
        others = [attribute for attribute in envelope.resource.attributes if attribute.key != TENANT]
        del envelope.resource.attributes[:]
        envelope.resource.attributes.extend([*others, otlp.attribute(TENANT, tenant)])
    return result


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_resource_is_of_the_tenant(start, secrets, db, signal):
    server = start()
    requests = [otlp.request(signal, resource=Resource(attributes=[otlp.attribute("service.name", name), *attributes]))
                for name, attributes in SPOOFS.items()]
    # Several in one request, and one without a resource at all.
    requests.append(merge([otlp.request(signal, resource=Resource(attributes=attributes))
                           for attributes in SPOOFS.values()]))
    bare = otlp.request(signal)
    getattr(bare, SCOPE_LEVELS[signal][0])[0].ClearField("resource")
    requests.append(bare)
    with server.channel() as channel:
        for index, request in enumerate(requests):
            accepted(Export(channel), request, metadata=bearer(secrets["acme"]),
                     compression=grpc.Compression.Gzip if index % 2 else grpc.Compression.NoCompression)
    assert_same(merge([of_tenant(request, "acme") for request in requests]), REBUILD[signal](db))


def test_large_requests_too(start, secrets, db):
    """Those that are decoded away from the event loop."""
    server = start()
    request = otlp.request("logs", [otlp.log_record(body=otlp.any_of("x" * (1 << 20))) for _ in range(3)],
                           resource=Resource(attributes=SPOOFS["another"]))
    with server.channel() as channel:
        accepted(Export(channel), request, metadata=bearer(secrets["acme"]))
    assert_same(of_tenant(request, "acme"), rebuild.logs(db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_same_bytes_of_two_tenants_are_two_requests(start, secrets, db, signal):
    server = start()
    request = otlp.request(signal, resource=Resource(attributes=SPOOFS["its own"]))
    with server.channel() as channel:
        for _ in range(2):  # and a retry of each is one
            for tenant in ("acme", "globex", "free"):
                accepted(Export(channel), request, metadata=bearer(secrets[tenant]))
    expected = merge([of_tenant(request, "acme"), of_tenant(request, "globex"), request])
    assert_same(expected, REBUILD[signal](db))


def test_retry_against_another_daemon(start, secrets, db):
    """What recognises it is in the database, tenant and all."""
    request = otlp.request("traces")
    for tenants in (["acme"], ["acme", "globex"]):
        with start().channel() as channel:
            for tenant in tenants:
                accepted(Export(channel), request, metadata=bearer(secrets[tenant]))
    assert_same(merge([of_tenant(request, "acme"), of_tenant(request, "globex")]), rebuild.traces(db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_ledger_is_by_tenant(binary, database, start_server, secrets, db, signal):
    server = start_server(database, {"auth.required": "true"})
    with server.channel() as channel:
        for tenant, count in (("acme", 3), ("globex", 2), ("free", 1)):
            request = otlp.request(signal, [otlp.ITEMS[signal]() for _ in range(count)],
                                   resource=Resource(attributes=SPOOFS["another"]))
            accepted(Export(channel), request, metadata=bearer(secrets[tenant]))
            accepted(Export(channel), request, metadata=bearer(secrets[tenant]))
    assert server.daemon.stop() == 0
    rows = db.execute("SELECT tenant, sum(received)::int, sum(committed)::int, sum(deduplicated)::int "
                      "FROM otel_loss_ledger GROUP BY 1 ORDER BY 1").fetchall()
    # The token without a tenant speaks for the one that it names.
    assert rows == [("acme", 6, 3, 3), ("globex", 6, 3, 3)]


@pytest.mark.parametrize("signal", SIGNALS)
def test_dead_letters_come_back_to_their_tenant(binary, start, secrets, database, db, signal):
    server = start()
    request = otlp.request(signal, resource=Resource(attributes=SPOOFS["another"]))
    poison = {"traces": lambda: otlp.span(trace_state="poison"),
              "logs": lambda: otlp.log_record(severity_text="poison"), "metrics": otlp.gauge}[signal]()
    if signal == "metrics":
        poison.gauge.data_points[0].as_int = -666
    getattr(getattr(getattr(request, SCOPE_LEVELS[signal][0])[0], SCOPE_LEVELS[signal][1])[0],
            SCOPE_LEVELS[signal][2]).append(poison)
    with server.channel() as channel, refusing(db):
        response = Export(channel)(request, metadata=bearer(secrets["acme"]))
        assert response.partial_success.ByteSize(), response
    assert db.execute("SELECT count(*) FROM otel_dead_letters").fetchone() == (1,)
    result = run(binary, "dead-letters", "replay", "--all", environment=database.environment)
    assert result.returncode == 0, result
    assert_same(of_tenant(request, "acme"), REBUILD[signal](db))


def test_spool_keeps_the_tenant(start, secrets, cluster, scratch):
    """Also of requests with as many attributes as there may be, one of which more is stored."""
    server = start(**{"spool.directory": str(scratch / "spool"), "database.connect_timeout": "2s"})
    many = [otlp.attribute(f"k{number}", number) for number in range(4096)]
    requests = [otlp.request("traces", resource=Resource(attributes=attributes))
                for attributes in (SPOOFS["another"], many)]
    with server.channel() as channel:
        export = Export(channel)
        accepted(export, first := otlp.request("traces"), metadata=bearer(secrets["acme"]))
        cluster.stop()
        for request in requests:
            accepted(export, request, metadata=bearer(secrets["acme"]))
        cluster.start()
        eventually(lambda: not list((scratch / "spool").glob("*.spool")), "an empty spool", seconds=60)
    with server.database.connect() as db:
        assert_same(merge([of_tenant(request, "acme") for request in [first, *requests]]), rebuild.traces(db))


def test_tokens_count_on_in_an_outage(start, secrets, cluster, scratch, binary, database):
    """The last list goes on to count; a daemon that never had one says to come back, and learns it later."""
    settings = {"spool.directory": str(scratch / "spool"), "database.connect_timeout": "2s",
                "auth.token_refresh": "100ms"}
    server = start(**settings)
    cluster.stop()
    with server.channel() as channel:
        export = Export(channel)
        accepted(export, otlp.request("traces"), metadata=bearer(secrets["acme"]))
        with pytest.raises(grpc.RpcError) as refused:
            export(otlp.request("traces"), metadata=[])
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert server.daemon.stop() == 0
    server = start(**settings)
    with server.channel() as channel:
        export = Export(channel)
        request = otlp.request("traces")
        with pytest.raises(grpc.RpcError) as refused:
            export(request, metadata=bearer(secrets["acme"]))
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "tokens" in refused.value.details()
        cluster.start()

        def is_let_in():
            try:
                return export(request, metadata=bearer(secrets["acme"])) is not None
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                return False

        eventually(is_let_in, "the list of tokens to be read")


def test_retention_of_the_tenant(binary, start, secrets, database, db):
    """The resources are those that a rule for the tenant looks for."""
    server = start()
    with server.channel() as channel:
        accepted(Export(channel), otlp.request("traces", resource=Resource(attributes=SPOOFS["another"])),
                 metadata=bearer(secrets["acme"]))
    found = db.execute("""
        SELECT count(*) FROM otel_spans_fact JOIN otel_resource_attrs_string USING (resource_id)
        JOIN attribute_keys USING (key_id) WHERE key = %s AND value = 'acme'""", [TENANT]).fetchone()
    assert found == (1,)
