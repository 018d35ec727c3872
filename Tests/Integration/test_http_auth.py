# SPDX-License-Identifier: Apache-2.0
"""Tokens over OTLP/HTTP: who may come in, for whom, and how much, judged as for gRPC."""

import pytest

from support import otlp
from support.api import api_settings
from support.daemon import free_port
from support.otlphttp import JSON, PROTOBUF, Connection, RawConnection, head
from support.tokens import Tokens, wait_for_list
from support.waiting import eventually

PORT = free_port()
UNKNOWN = "stl_00000000000000000000000000000000000000000000000000030mswv"
ENCODINGS = pytest.mark.parametrize("encoding", [PROTOBUF, JSON], ids=["protobuf", "json"])
EMPTY = {PROTOBUF: b"", JSON: b"{}"}


class Guarded:
    def __init__(self, api, tokens, database):
        self.api, self.tokens, self.database = api, tokens, database
        self.reader = {"authorization": f"Bearer {tokens.secret('--scope', 'read')}"}
        eventually(lambda: api.request("/metrics", **self.reader).status == 200, "the reader to be known")

    def token(self, *options):
        """A new token that the daemon knows."""
        secret = self.tokens.secret(*options)
        with self.database.connect() as db:
            wait_for_list(self.api, db, **self.reader)
        return secret


@pytest.fixture(scope="module")
def guarded(binary, database, start_server):
    settings, api = api_settings(**{"auth.required": "true", "auth.token_refresh": "100ms",
                                    "listen.http": f"127.0.0.1:{PORT}",
                                    "http.cors_origins": "https://app.example.com"})
    server = start_server(database, settings)
    yield Guarded(api, Tokens(binary, database), database)
    assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture
def connection(guarded):
    with Connection(PORT) as connection:
        yield connection


@ENCODINGS
@pytest.mark.parametrize("fields, challenge", [
    ({}, "Bearer"), ({"authorization": "Basic YTpi"}, 'Bearer error="invalid_token"'),
    ({"authorization": f"Bearer {UNKNOWN}"}, 'Bearer error="invalid_token"'),
    ({"x_api_key": UNKNOWN}, 'Bearer error="invalid_token"'),
], ids=["none", "basic", "unknown", "unknown key"])
def test_who_may_not_come_in(connection, fields, challenge, encoding):
    answer = connection.post("traces", EMPTY[encoding], encoding, **fields)
    assert "token" in answer.error(401)
    assert answer.content_type == encoding
    assert answer.headers["www-authenticate"] == challenge


def test_the_wrong_scope(guarded, connection):
    answer = connection.post("traces", b"{}", JSON, **guarded.reader)
    assert "scope" in answer.error(403)
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


@pytest.mark.parametrize("field", ["authorization", "Authorization", "x_api_key"])
def test_who_may_come_in(guarded, connection, db, field):
    secret = guarded.token("--scope", "ingest")
    value = secret if field == "x_api_key" else f"Bearer {secret}"
    request = otlp.request("traces")
    answer = connection.post("traces", request.SerializeToString(), **{field: value})
    assert answer.status == 200
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)


def test_it_is_judged_before_the_body(guarded):
    with RawConnection(PORT) as raw:
        raw.send(head(content_length=1 << 20, expect="100-continue"))
        assert raw.answer().error(401)


def test_a_token_with_a_tenant(guarded, connection, db):
    secret = guarded.token("--scope", "ingest", "--tenant", "acme")
    request = otlp.request("logs")
    for encoding in (PROTOBUF, JSON):
        body = request.SerializeToString() if encoding == PROTOBUF else \
            b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d"}]}]}]}' % otlp.BASE_NS
        assert connection.post("logs", body, encoding, x_api_key=secret).status == 200
    found = db.execute("""
        SELECT count(*) FROM otel_logs_fact JOIN otel_resource_attrs_string USING (resource_id)
        JOIN attribute_keys USING (key_id) WHERE key = 'tenant.id' AND value = 'acme'""").fetchone()
    assert found == (2,)


def test_a_token_that_may_send_little(guarded, connection):
    secret = guarded.token("--scope", "ingest", "--rate-items", "1")
    statuses = set()
    for _ in range(20):
        answer = connection.post("traces", otlp.request("traces", [otlp.span() for _ in range(3)]).SerializeToString(),
                                 x_api_key=secret)
        statuses.add(answer.status)
        if answer.status == 429:
            assert "per second" in answer.error(429)
            assert 1 <= int(answer.headers["retry-after"]) <= 5
            break
    assert statuses == {200, 429}


def test_browsers_ask_without_a_token(connection):
    answer = connection.request("OPTIONS", "/v1/traces", headers={
        "origin": "https://app.example.com", "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type"})
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    answer = connection.post("traces", b"{}", JSON, origin="https://app.example.com")
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
