# SPDX-License-Identifier: Apache-2.0
"""`starling token`: what it prints, what it stores, and what it says when something is wrong."""

import hashlib
import json
import re
import zlib

import psycopg
import pytest

from conftest import Database
from support.daemon import run
from support.service_graph import UNDO_EDGE_HOURS
from support.tokens import Tokens

FAILED, USAGE = 1, 64
TOKEN = re.compile(r"stl_[0-9A-Za-z]{57}")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def tokens(binary, database):
    return Tokens(binary, database)


@pytest.fixture
def db(database):
    with database.connect() as db:
        db.execute("TRUNCATE otel_tokens")
        yield db


def test_create_prints_the_token_alone(tokens, db):
    result = tokens.run("create", "--name", "shop", "--tenant", "acme", "--expires", "90d")
    secret = result.stdout.strip()
    assert TOKEN.fullmatch(secret) and result.stdout == secret + "\n"
    assert secret not in result.stderr and "acme" in result.stderr
    assert sum(BASE62.index(digit) * 62**place for place, digit in enumerate(reversed(secret[55:]))) == \
        zlib.crc32(secret[:55].encode())
    row = db.execute("SELECT name, prefix, hash, scopes, tenant, expires_at - created_at FROM otel_tokens").fetchone()
    assert row[:5] == ("shop", secret[:12], hashlib.sha256(secret.encode()).digest(), ["ingest"], "acme")
    assert abs(row[5].total_seconds() - 90 * 86_400) < 60


def test_create_as_json(tokens, db):
    token = tokens.create("--scope", "read", "--scope", "ingest", "--rate-items", "7", "--rate-bytes", "5MiB",
                          name="grafana")
    assert TOKEN.fullmatch(token["token"])
    assert token["scopes"] == ["ingest", "read"] and token["prefix"] == token["token"][:12]
    assert token["items_per_second"] == 7 and token["bytes_per_second"] == 5 << 20
    assert token["tenant"] is None and token["expires"] is None and token["state"] == "live"
    (listed,) = tokens.list()
    assert listed == {name: value for name, value in token.items() if name != "token"}


def test_list_and_revoke(tokens, db):
    assert tokens.list() == [] and "no tokens" in tokens.run("list").stderr
    first, second = tokens.create(name="first"), tokens.create(name="second")
    third = tokens.create(name="third")
    assert [token["name"] for token in tokens.list()] == ["first", "second", "third"]
    assert tokens.revoke("second")["state"] == "revoked"
    assert tokens.revoke(first["prefix"])["name"] == "first"
    # Whoever finds one that has leaked has the token itself.
    assert tokens.revoke(third["token"])["name"] == "third"
    assert {token["state"] for token in tokens.list()} == {"revoked"}
    lines = tokens.run("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "PREFIX", "SCOPES", "TENANT", "STATE", "EXPIRES", "LAST", "USED"]
    assert second["prefix"] in "".join(lines)
    # A name is free again.
    assert tokens.create(name="first")["id"] > third["id"]
    assert tokens.run("revoke", "first").stdout == "first is revoked.\n"


def test_old_revoked_ones_are_not_shown(tokens, db):
    """But for certificates: the daemon has to know that it is not to let them in."""
    for name, options in {"old": (), "edge": ("--certificate-name", "edge.example")}.items():
        tokens.create(*options, name=name)
        tokens.revoke(name)
    db.execute("UPDATE otel_tokens SET revoked_at = now() - interval '31 days'")
    assert [token["name"] for token in tokens.list()] == ["edge"]
    assert tokens.create("--certificate-name", "edge.example", name="edge")["state"] == "live"


@pytest.mark.parametrize("time", ["2999-12-31", "0001-01-01"])
def test_times_that_somebody_wrote_by_hand(tokens, db, time):
    tokens.create(name="live")
    tokens.create(name="odd")
    db.execute("UPDATE otel_tokens SET created_at = %(time)s, last_used_at = %(time)s, revoked_at = "
               "CASE name WHEN 'odd' THEN %(time)s::timestamptz END", {"time": time})
    states = {token["name"]: token["state"] for token in tokens.list()}
    assert states == {"live": "live"} | ({"odd": "revoked"} if time > "2026" else {})
    assert tokens.revoke("live")["state"] == "revoked"


@pytest.mark.parametrize(("arguments", "status", "parts"), [
    (["create"], USAGE, ["--name"]),
    (["create", "--name", ""], USAGE, ["1 to 200 bytes"]),
    (["create", "--name", "stl_abc"], USAGE, ["does not begin with stl_"]),
    (["create", "--name", "x" * 201], USAGE, ["1 to 200 bytes"]),
    (["create", "--name", "x", "--scope", "write"], USAGE, ["write", "ingest, read, admin"]),
    (["create", "--name", "x", "--tenant", ""], USAGE, ["--tenant"]),
    (["create", "--name", "x", "--tenant", "x" * 201], USAGE, ["--tenant"]),
    (["create", "--name", "x", "--expires", "tomorrow"], USAGE, ["--expires is tomorrow", "for example"]),
    (["create", "--name", "x", "--expires", "0"], USAGE, ["--expires is 0"]),
    (["create", "--name", "x", "--expires", "36501d"], USAGE, ["36500d"]),
    (["create", "--name", "x", "--rate-items", "0"], USAGE, ["--rate-items is 0"]),
    (["create", "--name", "x", "--rate-bytes", "5MB"], USAGE, ["5MiB"]),
    (["create", "--name", "x", "--rate-bytes", "0"], USAGE, ["--rate-bytes is 0"]),
    (["create", "--name", "taken"], FAILED, ["taken", "revoke"]),
    (["revoke", "nobody"], FAILED, ["nobody", "starling token list"]),
    (["revoke", "stl_abcdefgh"], FAILED, ["stl_abcdefgh"]),
])
def test_mistakes(tokens, db, arguments, status, parts):
    tokens.create(name="taken")
    result = tokens.run(*arguments, status=status)
    for part in parts:
        assert part in result.stderr, result.stderr
    assert not result.stdout
    assert db.execute("SELECT count(*) FROM otel_tokens").fetchone() == (1,)


def test_there_may_be_ten_thousand(tokens, db):
    db.execute("""
        INSERT INTO otel_tokens (name, prefix, hash, scopes)
        SELECT 'n' || i, 'stl_' || lpad(i::text, 8, '0'), sha256(i::text::bytea), '{ingest}'
        FROM generate_series(1, 10000) i""")
    result = tokens.run("create", "--name", "one more", status=FAILED)
    assert "10000" in result.stderr and "revoke" in result.stderr
    tokens.revoke("n7")
    tokens.create(name="one more")


@pytest.mark.parametrize("values", [
    "'x', 'stl_abcdefgh', decode(repeat('00', 31), 'hex'), '{ingest}', NULL",
    "'x', 'stl_abcdefgh', decode(repeat('00', 32), 'hex'), '{}', NULL",
    "'x', 'stl_abcdefgh', decode(repeat('00', 32), 'hex'), '{write}', NULL",
    "'x', NULL, NULL, '{ingest}', NULL",
    "'x', 'stl_abcdefgh', decode(repeat('00', 32), 'hex'), '{ingest}', 'client'",
    "'stl_x', 'stl_abcdefgh', decode(repeat('00', 32), 'hex'), '{ingest}', NULL",
])
def test_the_table_takes_no_nonsense(db, values):
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(f"INSERT INTO otel_tokens (name, prefix, hash, scopes, certificate_name) VALUES ({values})")


def test_database_of_an_older_version(binary, cluster):
    """A verb says that migrations are missing, and after them all is there."""
    cluster.create_database("older")
    database = Database(cluster, "older")
    try:
        tokens = Tokens(binary, database)
        assert run(binary, "migrate", environment=database.environment).returncode == 0
        with database.connect() as db:
            db.execute("DROP VIEW grafana.service_minutes, grafana.service_hours, grafana.service_periods;" + UNDO_EDGE_HOURS +
                       "DROP TABLE otel_tokens, otel_token_changes, otel_service_edge_minutes, otel_row_batches, "
                       "otel_service_figures, otel_service_figure_minutes, otel_service_hour_figures, "
                       "otel_service_figure_hours; DROP INDEX otel_spans_fact_time_idx, otel_logs_fact_time_idx;"
                       "DROP FUNCTION otel_note_token_change;"
                       "DELETE FROM schema_migrations WHERE version >= 10")
        assert "starling migrate" in tokens.run("create", "--name", "x", status=FAILED).stderr
        result = run(binary, "serve", "--set", "auth.required=true", environment=database.environment)
        assert result.returncode == FAILED and "starling migrate" in result.stderr
        assert run(binary, "migrate", environment=database.environment).returncode == 0
        assert json.loads(tokens.run("create", "--name", "x", "--json").stdout)["id"] == 1
    finally:
        cluster.drop_database("older")
