# SPDX-License-Identifier: Apache-2.0
"""Certificates of clients: required or optional, names, revocation, expiry."""

import ssl

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
import pytest

from support.certificates import Authority
from support.sdk import resource
from support.secure import connect, context, is_refused
from support.tls_world import World
from support.waiting import eventually

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


class MutualWorld(World):
    """A daemon that asks for certificates of agents; `agent` is one that it lets in."""

    def __init__(self, folder, start_server, database, **settings):
        self.clients = Authority(folder / "clients", "Authority of agents")
        self.agent = self.clients.issue("agent", ["DNS:a1.agents.example", "URI:spiffe://shop/agent"])
        self.revoked = self.clients.issue("revoked", ["DNS:a2.agents.example"])
        self.clients.revoke(self.revoked)
        super().__init__(folder / "servers", start_server, database, **{
            "client_ca_file": self.clients.certificate, "client_auth": "required",
            "client_names": "*.agents.example", "crl_file": self.clients.revocations(), **settings})

    def client(self, pair, version=None):
        return context(self.authority, pair, oldest=version, newest=version)


@pytest.fixture(scope="module")
def world(tmp_path_factory, start_server, database):
    return MutualWorld(tmp_path_factory.mktemp("tls"), start_server, database)


@pytest.fixture(scope="module")
def lenient(tmp_path_factory, start_server, database):
    return MutualWorld(tmp_path_factory.mktemp("tls"), start_server, database, client_auth="optional")


@VERSIONS
def test_a_good_certificate_is_let_in(world, version):
    with connect(world.starling.port, world.client(world.agent, version)) as client:
        assert client.recv(1), "the server's SETTINGS"
    world.assert_serves(world.agent)


def test_the_sdk_with_a_certificate(world, db):
    credentials = grpc.ssl_channel_credentials(
        world.authority.certificate.read_bytes(), world.agent.key.read_bytes(), world.agent.chain)
    exporter = OTLPSpanExporter(f"https://localhost:{world.starling.port}", credentials=credentials, timeout=30)
    provider = TracerProvider(resource=resource("mutual"))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tls").start_as_current_span("with a certificate"):
        pass
    provider.shutdown()
    assert db.execute(
        "SELECT count(*) FROM v_otel_spans_enriched WHERE name = 'with a certificate'").fetchone() == (1,)


@VERSIONS
def test_without_a_certificate(world, version):
    world.assert_refused(world.client(None, version), "certificate_missing", world.agent)


@VERSIONS
def test_a_revoked_certificate(world, version):
    world.assert_refused(world.client(world.revoked, version), "certificate", world.agent)


@VERSIONS
def test_a_certificate_of_another_authority(world, version, tmp_path):
    stranger = Authority(tmp_path / "other", "Somebody").issue("agent", ["DNS:a1.agents.example"])
    world.assert_refused(world.client(stranger, version), "certificate", world.agent)


def test_an_authority_of_the_same_name(world, tmp_path):
    impostor = Authority(tmp_path / "other", "Authority of agents").issue("agent", ["DNS:a1.agents.example"])
    world.assert_refused(world.client(impostor), "certificate", world.agent)


@VERSIONS
def test_a_name_that_is_not_allowed(world, version):
    other = world.clients.issue("intruder", ["DNS:agents.example", "DNS:x.a1.agents.example"])
    world.assert_refused(world.client(other, version), "certificate", world.agent)


@VERSIONS
def test_an_expired_certificate(world, version):
    old = world.clients.issue("old", ["DNS:a3.agents.example"], start="20190101000000Z", end="20200101000000Z")
    world.assert_refused(world.client(old, version), "certificate", world.agent)


def test_a_certificate_that_is_not_valid_yet(world):
    early = world.clients.issue("early", ["DNS:a4.agents.example"], start="20500101000000Z", end="20510101000000Z")
    world.assert_refused(world.client(early), "certificate", world.agent)


def test_a_weak_key(world):
    weak = world.clients.issue("weak", ["DNS:a5.agents.example"], key="rsa:1024")
    made = context(world.authority, weak, ciphers="DEFAULT:@SECLEVEL=0")
    world.assert_refused(made, "certificate", world.agent)


def test_the_log_names_what_was_wrong(world):
    assert "a TLS handshake failed" in world.starling.daemon.stderr()
    world.assert_refused(world.client(None), "certificate_missing", world.agent)
    assert "the peer shows no certificate" in world.starling.daemon.stderr()


def test_optional_lets_in_without_one(lenient):
    lenient.assert_serves()
    lenient.assert_serves(lenient.agent)


@VERSIONS
def test_optional_refuses_a_bad_one(lenient, version):
    lenient.assert_refused(lenient.client(lenient.revoked, version), "certificate")


@VERSIONS
def test_no_session_is_resumed(world, version):
    """One that is resumed shows no certificate."""
    client = world.client(world.agent, version)
    with connect(world.starling.port, client) as first:
        assert first.recv(1)
        session = first.session
    with connect(world.starling.port, client, session=session) as second:
        assert second.recv(1) and not second.session_reused


def test_a_list_that_is_out_of_date_lets_nobody_in(tmp_path, start_server, database):
    world = MutualWorld(tmp_path, start_server, database, reload_interval="500ms")
    world.assert_serves(world.agent)
    world.clients.revocations(None, "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z")
    taken = 'starling_tls_reloads_total{result="taken"}'
    eventually(lambda: world.count(taken) == 1, "the new list")
    assert "out of date" in world.starling.daemon.stderr()
    assert is_refused(world.starling.port, world.client(world.agent))
    world.clients.revocations()
    eventually(lambda: world.count(taken) == 2, "the newer list")
    world.assert_serves(world.agent)


def test_an_authority_without_a_list_lets_nobody_in(tmp_path, start_server, database):
    other = Authority(tmp_path / "others", "Authority of others")
    stranger = other.issue("stranger", ["DNS:a3.agents.example"])
    agents = Authority(tmp_path / "agents", "Authority of agents")
    agent = agents.issue("agent", ["DNS:a1.agents.example"])
    both = tmp_path / "both.pem"
    both.write_bytes(agents.certificate.read_bytes() + other.certificate.read_bytes())
    world = World(tmp_path / "servers", start_server, database, client_auth="required", client_ca_file=both,
                  crl_file=agents.revocations())
    assert is_refused(world.starling.port, context(world.authority, stranger))
    world.assert_serves(agent)
