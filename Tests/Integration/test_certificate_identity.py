# SPDX-License-Identifier: Apache-2.0
"""A client certificate whose name is registered stands in for a token, with its tenant."""

import grpc
import pytest

from conftest import Export
from support import otlp, rebuild
from support.api import api_settings
from support.certificates import Authority
from support.daemon import run
from support.normal import assert_same
from support.secure import secure_channel
from support.tokens import Tokens, bearer, wait_for_list
from test_tenants import of_tenant


class CertificateWorld:
    """A daemon that takes certificates for tokens, and asks for one of both."""

    def __init__(self, folder, start_server, database, tokens, **more):
        self.tokens = tokens
        self.clients = Authority(folder / "clients", "Authority of agents")
        self.authority = Authority(folder / "servers")
        self.reader = {"authorization": f"Bearer {tokens.secret('--scope', 'read')}"}
        pair = self.authority.server()
        settings, self.api = api_settings(**{
            "tls.certificate_file": pair.certificate, "tls.key_file": pair.key, "tls.listeners": "grpc",
            "tls.client_ca_file": self.clients.certificate, "tls.client_auth": "optional", "auth.required": "true",
            "auth.client_certificates": "true", "auth.token_refresh": "100ms", **more})
        self.starling = start_server(database, settings)

    def register(self, name, *options):
        self.tokens.create("--certificate-name", name, *options)
        self.wait()

    def revoke(self, certificate_name):
        (name,) = [token["name"] for token in self.tokens.list() if token["certificate_name"] == certificate_name]
        self.tokens.revoke(name)
        self.wait()

    def wait(self):
        with self.starling.database.connect() as db:
            wait_for_list(self.api, db, **self.reader)

    def export(self, request, pair, **options):
        with secure_channel(self.starling, self.authority, pair) as channel:
            return Export(channel)(request, **options)

    def code(self, pair, **options):
        """The status of a call that is turned away."""
        with pytest.raises(grpc.RpcError) as refused:
            self.export(otlp.request("traces"), pair, **options)
        return refused.value.code()


@pytest.fixture(scope="module")
def world(tmp_path_factory, start_server, database, binary):
    return CertificateWorld(tmp_path_factory.mktemp("tls"), start_server, database, Tokens(binary, database))


def test_a_registered_name_is_let_in(world, db):
    agent = world.clients.issue("agent", ["DNS:a1.agents.example", "URI:spiffe://shop/agent"])
    assert world.code(agent) == grpc.StatusCode.UNAUTHENTICATED
    world.register("spiffe://shop/agent", "--tenant", "acme")
    request = otlp.request("traces")
    world.export(request, agent)
    assert_same(of_tenant(request, "acme"), rebuild.traces(db))


def test_the_common_name_counts_too(world, db):
    world.register("a.common.name")
    world.export(otlp.request("traces"), world.clients.issue("a.common.name"))
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)


def test_who_shows_none_or_another(world, db):
    world.register("a2.agents.example")
    assert world.code(None) == grpc.StatusCode.UNAUTHENTICATED
    assert world.code(world.clients.issue("nobody", ["DNS:b2.agents.example"])) == grpc.StatusCode.UNAUTHENTICATED
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (0,)


def test_scope_and_revocation(world, db):
    agent = world.clients.issue("agent3", ["DNS:a3.agents.example"])
    world.register("a3.agents.example", "--scope", "read")
    assert world.code(agent) == grpc.StatusCode.PERMISSION_DENIED
    world.revoke("a3.agents.example")
    assert world.code(agent) == grpc.StatusCode.UNAUTHENTICATED


def test_a_token_goes_first(world, db):
    agent = world.clients.issue("agent4", ["DNS:a4.agents.example"])
    world.register("a4.agents.example", "--tenant", "acme")
    secret = world.tokens.secret("--tenant", "globex")
    world.wait()
    request = otlp.request("traces")
    world.export(request, agent, metadata=bearer(secret))
    assert_same(of_tenant(request, "globex"), rebuild.traces(db))
    assert world.code(agent, metadata=bearer(secret[:-1])) == grpc.StatusCode.UNAUTHENTICATED


def test_verb(world, binary, database):
    token = world.tokens.create("--certificate-name", "once.example")
    assert token["token"] is None and token["prefix"] is None
    result = world.tokens.run("create", "--name", "twice", "--certificate-name", "once.example", status=1)
    assert "once.example" in result.stderr and "revoke" in result.stderr
    result = world.tokens.run("create", "--name", "long", "--certificate-name", "x" * 256, status=64)
    assert "--certificate-name" in result.stderr
    assert "certificate once.example" in world.tokens.run("list").stdout


def test_certificates_have_to_be_asked_for(binary, database):
    result = run(binary, "config", "check", "--set", "auth.client_certificates=true", environment=database.environment)
    assert result.returncode == 78, result
    assert "auth.client_certificates" in result.stderr and "tls.client_auth" in result.stderr
