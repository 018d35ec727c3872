# SPDX-License-Identifier: Apache-2.0
"""A client certificate whose name is registered stands in for a token over OTLP/HTTP and on the API, too."""

import pytest

from support import otlp, rebuild
from support.api import API
from support.daemon import free_port
from support.h2client import Client
from support.normal import assert_same
from support.otlphttp import Connection
from support.secure import context
from support.tokens import Tokens
from test_certificate_identity import CertificateWorld
from test_http_h2 import answer, post
from test_tenants import of_tenant


class HTTPWorld(CertificateWorld):
    """All listeners speak TLS."""

    def __init__(self, folder, start_server, database, tokens):
        self.port = free_port()
        super().__init__(folder, start_server, database, tokens, **{
            "listen.http": f"127.0.0.1:{self.port}", "tls.listeners": "grpc, http, api"})
        self.api = self.api_of(None)

    def api_of(self, pair):
        """The API as the holder of `pair` sees it."""
        return API(self.api.address, context(self.authority, pair, protocols=("http/1.1",)))

    def agent(self, name):
        return self.clients.issue(name, [f"DNS:{name}"])


class HTTP1:
    """A connection of HTTP/1.1, and what a request over it is answered."""

    def __init__(self, world, pair):
        self.connection = Connection(world.port, context(world.authority, pair, protocols=("http/1.1",)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.http.close()

    def post(self, request, **fields):
        return self.connection.post("traces", request.SerializeToString(), **fields)


class HTTP2:
    """Likewise of HTTP/2, a stream for each request."""

    def __init__(self, world, pair):
        self.client = Client(world.port, tls=context(world.authority, pair, protocols=("h2",)))

    def __enter__(self):
        self.client.__enter__()
        return self

    def __exit__(self, *error):
        self.client.__exit__(*error)

    def post(self, request, **fields):
        return answer(self.client, post(self.client, request.SerializeToString(), **fields))


@pytest.fixture(scope="module")
def world(tmp_path_factory, start_server, database, binary):
    world = HTTPWorld(tmp_path_factory.mktemp("tls"), start_server, database, Tokens(binary, database))
    yield world
    assert world.starling.daemon.stop() == 0, world.starling.daemon.output()


@pytest.fixture(params=[HTTP1, HTTP2], ids=["http1", "http2"])
def connect(request, world):
    return lambda pair: request.param(world, pair)


def test_a_registered_name_is_let_in(world, db, connect):
    name = f"{otlp.unique()}.agents.example"
    agent, request = world.agent(name), otlp.request("traces")
    with connect(agent) as connection:
        refused = connection.post(request)
        assert "certificate" in refused.error(401) and refused.headers["www-authenticate"] == "Bearer"
        world.register(name, "--tenant", "acme")
        assert connection.post(request).status == 200
    assert_same(of_tenant(request, "acme"), rebuild.traces(db))


def test_who_shows_none_or_another(world, db, connect):
    for pair, problem in ((None, "token"), (world.agent(f"{otlp.unique()}.nobody.example"), "certificate")):
        with connect(pair) as connection:
            assert problem in connection.post(otlp.request("traces")).error(401)
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (0,)


def test_scope_and_revocation(world, db, connect):
    reading, sending = (f"{otlp.unique()}.agents.example" for _ in range(2))
    world.register(reading, "--scope", "read")
    world.register(sending)
    with connect(world.agent(reading)) as connection:
        assert "scope" in connection.post(otlp.request("traces")).error(403)
    with connect(world.agent(sending)) as connection:
        assert connection.post(otlp.request("traces")).status == 200
        world.revoke(sending)
        assert "revoked" in connection.post(otlp.request("traces")).error(401)
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)


def test_a_token_goes_first(world, db, connect):
    name = f"{otlp.unique()}.agents.example"
    world.register(name, "--tenant", "acme")
    secret = world.tokens.secret("--tenant", "globex")
    world.wait()
    request = otlp.request("traces")
    with connect(world.agent(name)) as connection:
        assert connection.post(request, x_api_key=secret).status == 200
        assert connection.post(request, x_api_key=secret[:-1]).error(401)
    assert_same(of_tenant(request, "globex"), rebuild.traces(db))


def test_the_api(world):
    name = f"{otlp.unique()}.people.example"
    api = world.api_of(world.agent(name))
    connection = api.connect()

    def status():
        connection.request("GET", "/api/status")
        response = connection.getresponse()
        response.read()
        return response.status

    assert status() == 401
    world.register(name, "--scope", "read")
    assert status() == 200
    assert api.metrics()["starling_tokens"] >= 1
    world.revoke(name)
    assert status() == 401
    connection.close()


def test_the_api_asks_for_its_scope(world):
    name = f"{otlp.unique()}.agents.example"
    world.register(name)
    answer = world.api_of(world.agent(name)).request("/api/status")
    assert answer.status == 403 and "scope" in answer.json["error"]
    assert world.api_of(None).request("/api/status").status == 401
    assert world.api_of(None).request("/livez").status == 200
