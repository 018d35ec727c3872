# SPDX-License-Identifier: Apache-2.0
"""Who may come in: tokens of gRPC clients and of the API, judged on the head of a request."""

import grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.daemon import run
from support.grpcwire import PATHS, Answer, assert_error, assert_success, frame, headers
from support.otlp import SIGNALS
from support.rawcall import assert_healthy, export as raw_export
from support.sdk import SpanExporter
from support.tokens import Tokens, bearer, wait_for_list
from support.waiting import eventually

PERMISSION_DENIED, UNAUTHENTICATED = 7, 16
MIB = 1 << 20
UNKNOWN = "stl_00000000000000000000000000000000000000000000000000030mswv"


class Guarded:
    """A daemon that asks for tokens, its API, and the token to look at it with."""

    def __init__(self, server, api, tokens):
        self.server = server
        self.api = api
        self.tokens = tokens
        self.reader = {"authorization": f"Bearer {tokens.secret('--scope', 'read')}"}
        eventually(lambda: api.request("/metrics", **self.reader).status == 200, "the reader to be known")

    def token(self, *options):
        """A new token that the daemon knows."""
        secret = self.tokens.secret(*options)
        self.wait()
        return secret

    def wait(self):
        with self.server.database.connect() as db:
            wait_for_list(self.api, db, **self.reader)

    def metric(self, name):
        return self.api.metrics(**self.reader)[name]

    def failures(self, reason):
        return self.metric(f'starling_auth_failures_total{{reason="{reason}"}}')


@pytest.fixture(scope="module")
def guarded(binary, database, start_server):
    settings, api = api_settings(**{"auth.required": "true", "auth.token_refresh": "100ms"})
    server = start_server(database, settings)
    guarded = Guarded(server, api, Tokens(binary, database))
    yield guarded
    assert server.daemon.stop() == 0, server.daemon.output()


@pytest.fixture
def client(guarded):
    with guarded.server.client() as client:
        yield client


def span_count(db):
    return db.execute("SELECT count(*) FROM otel_spans_fact").fetchone()[0]


# The thin path: real clients.

@pytest.mark.parametrize("signal", SIGNALS)
def test_grpc_client_with_a_token(guarded, db, signal):
    secret = guarded.token()
    with guarded.server.channel() as channel:
        response = Export(channel)(otlp.request(signal), metadata=bearer(secret))
        assert response.SerializeToString() == b""
        with pytest.raises(grpc.RpcError) as refused:
            Export(channel)(otlp.request(signal))
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_sdk_with_a_token(guarded, db):
    secret = guarded.token()
    exporter = SpanExporter(guarded.server, headers=(("x-api-key", secret),))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for _ in range(3):
        provider.get_tracer("test").start_span("guarded").end()
    provider.shutdown()
    assert span_count(db) == 3


def test_send_verb(binary, guarded, db, tmp_path):
    file = tmp_path / "token"
    file.write_text(guarded.token() + "\n")
    arguments = ["send", "traces", "--count", "20", "--batch", "10", "--endpoint", guarded.server.endpoint]
    assert run(binary, *arguments, "--token-file", str(file)).returncode == 0
    assert run(binary, *arguments, "--seed", "2",
               environment={"STARLING_TOKEN": file.read_text().strip()}).returncode == 0
    assert span_count(db) == 40
    result = run(binary, *arguments)
    assert result.returncode == 1 and "grpc-status 16" in result.stderr, result
    result = run(binary, *arguments, environment={"STARLING_TOKEN": UNKNOWN[:-1]})
    assert result.returncode == 64 and "STARLING_TOKEN holds no token" in result.stderr, result
    assert UNKNOWN[:-1] not in result.stderr
    result = run(binary, *arguments, "--token-file", str(tmp_path / "nothing"))
    assert result.returncode == 64 and "cannot be read" in result.stderr, result


# The table of verdicts.

@pytest.fixture(scope="module")
def secrets(guarded):
    """One token of each kind; the list has been read since."""
    secrets = {"ingest": guarded.tokens.secret(), "read": guarded.tokens.secret("--scope", "read"),
               "admin": guarded.tokens.secret("--scope", "admin"),
               "both": guarded.tokens.secret("--scope", "ingest", "--scope", "read")}
    revoked, expired = guarded.tokens.create(), guarded.tokens.create("--expires", "1d")
    secrets |= {"revoked": revoked["token"], "expired": expired["token"], "unknown": UNKNOWN}
    guarded.tokens.revoke(revoked["name"])
    with guarded.server.database.connect() as db:
        db.execute("UPDATE otel_tokens SET expires_at = now() - interval '1 second' WHERE token_id = %s",
                   [expired["id"]])
    guarded.wait()
    return secrets


GRPC_VERDICTS = [
    ("ingest", None, None), ("both", None, None), ("read", PERMISSION_DENIED, "scope"),
    ("admin", PERMISSION_DENIED, "scope"), ("revoked", UNAUTHENTICATED, "revoked"),
    ("expired", UNAUTHENTICATED, "expired"), ("unknown", UNAUTHENTICATED, "unknown")]


@pytest.mark.parametrize("form", ["authorization: Bearer {}", "authorization: bearer {}", "x-api-key: {}"])
@pytest.mark.parametrize(("kind", "code", "reason"), GRPC_VERDICTS)
def test_verdict(guarded, client, db, secrets, kind, code, reason, form):
    name, value = form.format(secrets[kind]).split(": ")
    before = guarded.failures(reason) if reason else 0
    answer = raw_export(client, guarded.server, "traces", otlp.request("traces"), **{name.replace("-", "_"): value})
    if code is None:
        assert_success(answer)
        assert span_count(db) == 1
        return
    assert_error(answer, [code])
    assert secrets[kind] not in answer.message
    assert guarded.failures(reason) == before + 1
    assert span_count(db) == 0


@pytest.mark.parametrize(("fields", "reason"), [
    ({}, "missing"), ({"authorization": "Basic c3RsOg=="}, "malformed"), ({"authorization": ""}, "malformed"),
    ({"authorization": "Bearer"}, "malformed"), ({"authorization": "Bearer " + "a" * 9000}, "malformed"),
    ({"x_api_key": UNKNOWN[:-1] + "_"}, "malformed"), ({"x_api_key": UNKNOWN.upper()}, "malformed"),
    ({"authorization": f"Bearer {UNKNOWN}", "x_api_key": UNKNOWN[:-1]}, "malformed"),
    ({"authorization": "Bearer \"'; DROP TABLE otel_tokens; --"}, "malformed")])
def test_what_is_no_token(guarded, client, db, fields, reason):
    before = guarded.failures(reason)
    assert_error(raw_export(client, guarded.server, "traces", otlp.request("traces"), **fields), [UNAUTHENTICATED])
    assert guarded.failures(reason) == before + 1
    assert span_count(db) == 0


def test_health_is_open_and_reflection_is_not(guarded, client, secrets):
    check = "/grpc.health.v1.Health/Check"
    stream_id = client.open(headers(guarded.server.port, path=check))
    client.send(stream_id, frame(b""), True)
    assert_success(Answer(client.wait(stream_id)))
    reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    stream_id = client.open(headers(guarded.server.port, path=reflection))
    client.send(stream_id, b"", True)
    assert_error(Answer(client.wait(stream_id)), [UNAUTHENTICATED])
    stream_id = client.open(headers(guarded.server.port, path=reflection, x_api_key=secrets["read"]))
    client.send(stream_id, b"", True)
    assert Answer(client.wait(stream_id)).code == 0


# The API.

@pytest.mark.parametrize(("path", "kind", "status"), [
    ("/metrics", None, 401), ("/metrics", "unknown", 401), ("/metrics", "revoked", 401), ("/metrics", "ingest", 403),
    ("/metrics", "read", 200), ("/metrics", "admin", 200), ("/metrics", "both", 200), ("/api/status", None, 401),
    ("/api/status", "expired", 401), ("/api/status", "ingest", 403), ("/api/status", "read", 200),
    ("/livez", None, 200), ("/readyz", None, 200), ("/health", None, 200), ("/health/db", None, 200),
    ("/livez", "unknown", 200)])
def test_api(guarded, secrets, path, kind, status):
    fields = {"Authorization": f"Bearer {secrets[kind]}"} if kind else {}
    answer = guarded.api.request(path, **fields)
    assert answer.status == status, answer
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json["status"] == 401 and answer.json["error"]
    if kind:
        assert secrets[kind] not in answer.body


def test_status_verb(binary, guarded, secrets, tmp_path):
    arguments = ["status", "--api", f"127.0.0.1:{guarded.api.address}"]
    file = tmp_path / "token"
    file.write_text(secrets["read"])
    assert run(binary, *arguments, "--token-file", str(file)).returncode == 0
    assert run(binary, *arguments, environment={"STARLING_TOKEN": secrets["admin"]}).returncode == 0
    for kind in ("ingest", "unknown"):
        result = run(binary, *arguments, environment={"STARLING_TOKEN": secrets[kind]})
        assert result.returncode == 1 and "--token-file" in result.stderr, result
        assert secrets[kind] not in result.stderr + result.stdout
    assert run(binary, *arguments).returncode == 1


# Changes while clients are connected.

def test_revocation_on_an_open_connection(guarded, client, db):
    token = guarded.tokens.create()
    guarded.wait()
    options = {"x_api_key": token["token"]}
    assert_success(raw_export(client, guarded.server, "traces", otlp.request("traces"), **options))
    guarded.tokens.revoke(token["name"])
    guarded.wait()
    assert_error(raw_export(client, guarded.server, "traces", otlp.request("traces"), **options), [UNAUTHENTICATED])
    assert span_count(db) == 1


def test_change_by_hand_is_seen(guarded, client, db):
    """Whoever has the database can do the same with SQL."""
    token = guarded.tokens.create()
    guarded.wait()
    db.execute("DELETE FROM otel_tokens WHERE token_id = %s", [token["id"]])
    guarded.wait()
    answer = raw_export(client, guarded.server, "traces", otlp.request("traces"), x_api_key=token["token"])
    assert_error(answer, [UNAUTHENTICATED])
    assert "not known" in answer.message


# What a caller without a token costs.

def test_body_of_a_stranger_is_never_kept(guarded, client, db):
    """Refused on HEADERS: with not one byte of the body sent, and no byte of the budget taken after it."""
    head = {"path": PATHS["logs"], "content_type": "application/grpc"}
    stream_id = client.open(headers(guarded.server.port, **head))
    answer = Answer(client.wait(stream_id))  # nothing was sent, and the request is not ended
    assert_error(answer, [UNAUTHENTICATED])
    big = otlp.request("logs", [otlp.log_record(body=otlp.any_of("x" * MIB)) for _ in range(30)])
    with guarded.server.channel() as channel:
        export = Export(channel)
        # What idle writers keep of earlier tests.
        kept = guarded.metric("starling_memory_budget_used_bytes")
        calls = [export.method(big).future(big, timeout=60) for _ in range(20)]
        used = [guarded.metric("starling_memory_budget_used_bytes")]
        while not all(call.done() for call in calls):
            used.append(guarded.metric("starling_memory_budget_used_bytes"))
        assert {call.code() for call in calls} == {grpc.StatusCode.UNAUTHENTICATED}
    assert max(used) <= kept, (kept, used)
    assert_healthy(guarded.server, budget_bytes=0)


# The secret stays secret.

def test_nothing_shows_a_secret(guarded, client, db, secrets):
    for secret in secrets.values():
        raw_export(client, guarded.server, "traces", otlp.request("traces"), x_api_key=secret)
    shown = guarded.server.daemon.output(10**9)
    for path in ("/metrics", "/api/status", "/health"):
        shown += guarded.api.request(path, **guarded.reader).body
    shown += guarded.tokens.run("list").stdout + guarded.tokens.run("list", "--json").stdout
    shown += "".join(str(row) for row in db.execute("SELECT t::text FROM otel_tokens t"))
    for secret in secrets.values():
        assert secret not in shown and secret[12:55] not in shown
    assert "requests were turned away" in guarded.server.daemon.stderr()
    assert "127.0.0.1:" in guarded.server.daemon.stderr().split("requests were turned away")[1].splitlines()[0]


def test_last_use_is_written(binary, database, start_server):
    """At the end at the latest."""
    tokens = Tokens(binary, database)
    used, unused = tokens.create(), tokens.create()
    server = start_server(database, {"auth.required": "true"})
    with server.channel() as channel:
        Export(channel)(otlp.request("traces"), metadata=bearer(used["token"]))
    assert server.daemon.stop() == 0, server.daemon.output()
    last_used = {token["id"]: token["last_used"] for token in tokens.list()}
    assert last_used[used["id"]] and not last_used[unused["id"]]


# Without auth.required.

def test_who_is_not_asked_may_still_say(binary, database, start_server, db):
    """A token of ours counts, what is meant for somebody else does not, and nothing is no fault."""
    tokens = Tokens(binary, database)
    secret, revoked = tokens.secret("--tenant", "acme"), tokens.create()
    tokens.revoke(revoked["name"])
    server = start_server(database)
    with server.channel() as channel:
        export = Export(channel)
        for metadata in ([], [("authorization", "Bearer of a proxy")], [("x-api-key", "abc")], bearer(secret)):
            export(otlp.request("traces"), metadata=metadata)
        with pytest.raises(grpc.RpcError) as refused:
            export(otlp.request("traces"), metadata=bearer(revoked["token"]))
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert span_count(db) == 4
    assert server.daemon.stop() == 0


# Listening for other machines.

@pytest.mark.parametrize(("key", "address"), [
    ("listen.grpc", "0.0.0.0:0"), ("listen.grpc", "[::]:0"), ("listen.api", "0.0.0.0:0")])
def test_other_machines_need_a_token(binary, database, key, address):
    arguments = ["--set", f"{key}={address}"]
    for verb in (["serve"], ["config", "check"]):
        result = run(binary, *verb, *arguments, environment=database.environment)
        assert result.returncode == 78, result
        for part in (key, address, "auth.required", "auth.allow_anonymous", "starling token create"):
            assert part in result.stderr, result.stderr
    for remedy in ("auth.required=true", "auth.allow_anonymous=true"):
        result = run(binary, "config", "check", *arguments, "--set", remedy, environment=database.environment)
        assert result.returncode == 0, result


@pytest.mark.parametrize("remedy", ["auth.required", "auth.allow_anonymous"])
def test_serves_other_machines_where_that_is_said(database, start_server, remedy):
    server = start_server(database, {"listen.grpc": "0.0.0.0:0", remedy: "true"})
    assert "serving OTLP/gRPC on 0.0.0.0:" in server.daemon.stderr()
    assert server.daemon.stop() == 0


def test_tokens_in_clear_text_are_warned_of(binary, database, start_server):
    """By the key, once per start, and by `config check` as well; not where nobody is between."""
    settings = {"listen.grpc": "0.0.0.0:0", "listen.api": "", "auth.required": "true"}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    checked = run(binary, "config", "check", *sets, environment=database.environment)
    server = start_server(database, settings)
    assert server.daemon.stop() == 0
    assert checked.returncode == 0
    for text in (checked.stderr, server.daemon.stderr()):
        (line,) = [line for line in text.splitlines() if "in clear text" in line]
        assert "listen.grpc" in line and "tls.certificate_file" in line, line
