# SPDX-License-Identifier: Apache-2.0
"""TLS on listen.grpc: who is served, who is refused, and what is counted."""

import signal
import socket
import ssl
import subprocess

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
import pytest

from conftest import Export
from support import otlp
from support.certificates import Authority
from support.sdk import resource
from support.secure import connect, context, secure_channel
from support.tls_world import World
from support.waiting import PATIENCE_SECONDS, eventually

@pytest.fixture(scope="module")
def world(tmp_path_factory, start_server, database):
    return World(tmp_path_factory.mktemp("tls"), start_server, database)


def test_a_client_with_the_authority_is_served(world, db):
    before = world.api.metrics()["starling_tls_handshakes_total"]
    world.assert_serves()
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone()[0] > 0
    assert world.api.metrics()["starling_tls_handshakes_total"] == before + 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken(world, version):
    with connect(world.starling.port, context(world.authority, oldest=version, newest=version)) as client:
        assert client.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        assert client.selected_alpn_protocol() == "h2"
        assert client.compression() is None
        assert client.recv(1), "the server's SETTINGS"


@pytest.mark.parametrize("cipher", [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_authenticated_encryption_of_tls12(world, cipher):
    made = context(world.authority, newest=ssl.TLSVersion.TLSv1_2, ciphers=cipher)
    with connect(world.starling.port, made) as client:
        assert client.cipher()[0] == cipher and client.recv(1)


@pytest.mark.parametrize("cipher", [
    "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"])
def test_weak_suites_are_refused(world, cipher):
    world.assert_refused(
        context(world.authority, newest=ssl.TLSVersion.TLSv1_2, ciphers=f"{cipher}:@SECLEVEL=0"), "cipher")


def test_old_versions_are_refused(world):
    with pytest.warns(DeprecationWarning):
        made = context(world.authority, oldest=ssl.TLSVersion.TLSv1_1, newest=ssl.TLSVersion.TLSv1_1,
                       ciphers="ALL:@SECLEVEL=0")
    world.assert_refused(made, "version")


@pytest.mark.parametrize("protocols", [(), ("http/1.1",), ("spdy/3",)])
def test_clients_that_do_not_offer_h2_are_refused(world, protocols):
    world.assert_refused(context(world.authority, protocols=protocols), "protocol")


@pytest.mark.parametrize("sent", [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\x16\x03\x01" + b"\xff" * 200,
    b"\x80\x2e\x01\x00\x02"])
def test_what_is_not_tls_is_cut_and_counted(world, sent):
    names = ("not_tls", "other")
    before = sum(map(world.failures, names))
    with socket.create_connection(("127.0.0.1", world.starling.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(sent)
        while client.recv(4096):  # an alert, perhaps, and then the end
            pass
    eventually(lambda: sum(map(world.failures, names)) == before + 1, "one more failure")
    world.assert_serves()


def test_a_plaintext_grpc_client_is_cut(world):
    before = world.failures("not_tls")
    with grpc.insecure_channel(world.starling.endpoint, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            Export(channel)(otlp.request("traces"), timeout=2)
    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert world.failures("not_tls") > before


def test_a_client_that_leaves_is_counted(world):
    before = world.failures("peer")
    socket.create_connection(("127.0.0.1", world.starling.port)).close()
    eventually(lambda: world.failures("peer") == before + 1, "the handshake that was never begun")


def test_a_client_that_does_not_trust_the_server_is_counted(world, tmp_path):
    before = world.failures("peer")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(world.starling.port, context(Authority(tmp_path / "other")))
    eventually(lambda: world.failures("peer") == before + 1, "the client's alert")


def test_a_large_request_and_gzip(world, db):
    """8 MiB through records of 16 KiB."""
    request = otlp.request("logs")
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    record.body.string_value = "x" * (8 << 20)
    with secure_channel(world.starling, world.authority) as channel:
        Export(channel)(request)
        Export(channel)(request, compression=grpc.Compression.Gzip)
    assert db.execute("SELECT count(*) FROM otel_logs_fact WHERE length(body_text) = 8 << 20").fetchone()[0] >= 1


def test_the_sdk_over_tls(world, db):
    credentials = grpc.ssl_channel_credentials(world.authority.certificate.read_bytes())
    exporter = OTLPSpanExporter(f"https://localhost:{world.starling.port}", credentials=credentials, timeout=30)
    provider = TracerProvider(resource=resource("tls"))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tls").start_as_current_span("over tls"):
        pass
    provider.shutdown()
    assert db.execute(
        "SELECT count(*) FROM v_otel_spans_enriched WHERE name = 'over tls'").fetchone() == (1,)


def test_many_connections(world):
    """All open at once, all served."""
    made = context(world.authority)
    clients = [connect(world.starling.port, made) for _ in range(200)]
    try:
        assert all(client.recv(1) for client in clients)
        assert world.count("starling_connections") >= len(clients)
        world.assert_serves()
    finally:
        for client in clients:
            client.close()
    eventually(lambda: world.count("starling_connections") == 0, "all connections to be closed")


def test_a_peer_that_does_not_read(world):
    """It asks for answers (PING) until nobody listens any more; nothing grows."""
    ping = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"8 bytes."
    before = world.count("process_resident_memory_bytes")
    with connect(world.starling.port, context(world.authority)) as client:
        client.settimeout(2)
        with pytest.raises(OSError):
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            while True:
                client.sendall(ping * 1000)
        assert world.count("process_resident_memory_bytes") - before < 16 << 20
    world.assert_serves()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_until_the_next_reload(tmp_path, start_server, database, version):
    world = World(tmp_path, start_server, database, reload_interval="1d")
    client = context(world.authority, oldest=version, newest=version)
    with connect(world.starling.port, client) as first:
        assert first.recv(1) and not first.session_reused
        session = first.session
    with connect(world.starling.port, client, session=session) as second:
        assert second.recv(1) and second.session_reused
    world.starling.daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: world.count('starling_tls_reloads_total{result="taken"}') == 1, "the reload")
    with connect(world.starling.port, client, session=session) as third:
        assert third.recv(1) and not third.session_reused


@pytest.mark.parametrize(("groups", "is_spoken"), [("X25519", True), ("P-256", True), ("P-384", True),
                                                   ("P-521", False), ("ffdhe2048", False)])
def test_groups(world, groups, is_spoken):
    result = subprocess.run(
        ["openssl", "s_client", "-connect", world.starling.endpoint, "-groups", groups, "-alpn", "h2",
         "-tls1_3", "-CAfile", str(world.authority.certificate)], stdin=subprocess.DEVNULL, capture_output=True,
        timeout=60)
    assert (b"Verify return code: 0 (ok)" in result.stdout and b"Cipher is TLS_" in result.stdout) == is_spoken, \
        result


@pytest.mark.parametrize("name", ["other.example", None])
def test_a_name_in_the_greeting_is_without_effect(world, name):
    made = context(world.authority)
    made.check_hostname = False
    with connect(world.starling.port, made, name) as client:
        assert client.recv(1)
        subject = {"DNS:localhost", "IP Address:127.0.0.1"}
        assert {f"{kind}:{value}" for kind, value in client.getpeercert()["subjectAltName"]} == subject


def test_nothing_is_negotiated_anew(world):
    """Of TLS 1.2; the later version has no such thing."""
    result = subprocess.run(
        ["openssl", "s_client", "-connect", world.starling.endpoint, "-alpn", "h2", "-tls1_2",
         "-CAfile", str(world.authority.certificate)], input=b"R\n", capture_output=True, timeout=60)
    assert b"RENEGOTIATING" in result.stderr and b"no renegotiation" in result.stderr, result
