# SPDX-License-Identifier: Apache-2.0
"""`starling attributes`: what it says of stored attributes, and columns that keep what it promised."""

import json
import signal

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
import pytest

from conftest import Database, Export, Server, environment
from support import otlp
from support.daemon import Daemon, free_port, run
from support.otlp import attribute, attributes
from support.waiting import eventually
from test_command import BAD_CONFIGURATION, NOWHERE, OK, UNREACHABLE, USAGE, assert_says

SPAN_COUNT = 400
TABLES = {"spans": "otel_spans_fact", "logs": "otel_logs_fact"}


class Verbs:
    """The verbs against a database of their own, with an overrides file."""

    def __init__(self, binary, database, path):
        self.binary = binary
        self.database = database
        self.path = path
        self.db = database.connect()
        self.settings = ["--set", f"attributes.overrides_file={path}"]

    def __call__(self, verb, *arguments):
        return run(self.binary, "attributes", verb, *arguments, *self.settings,
                   environment=self.database.environment)

    def json(self, verb, *arguments):
        result = self(verb, *arguments, "--json")
        assert result.returncode == OK, result
        return json.loads(result.stdout)

    def listed(self, *arguments):
        """(scope, key, type) -> entry."""
        return {(item["scope"], item["key"], item["type"]): item
                for item in self.json("list", *arguments)["attributes"]}

    def suggested(self, *arguments):
        return {(item["scope"], item["key"]): item for item in self.json("suggest", *arguments)["suggestions"]}

    def columns(self, signal_name="spans"):
        return dict(self.db.execute("SELECT key || ':' || type, column_name FROM otel_attribute_columns "
                                    "WHERE signal = %s", [signal_name]).fetchall())


@pytest.fixture
def verbs(binary, cluster, scratch):
    cluster.create_database("attributes")
    database = Database(cluster, "attributes")
    assert run(binary, "migrate", environment=database.environment).returncode == OK
    path = scratch / "attributes.yaml"
    path.write_text("# ours\n")
    verbs = Verbs(binary, database, path)
    yield verbs
    verbs.db.close()
    cluster.drop_database("attributes")


@pytest.fixture
def server(verbs, scratch):
    """A daemon with the same overrides file."""
    port = free_port()
    daemon = Daemon(verbs.binary, ["serve", *verbs.settings], environment(verbs.database, port), scratch)
    try:
        yield Server(daemon.start(), port, verbs.database)
    finally:
        daemon.kill()


def reload(server):
    count = server.daemon.notify.lines.count("READY=1")
    server.daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.daemon.notify.lines.count("READY=1") > count, "READY=1 after the reload")


def make_span(number):
    """Keys in all rows, in half of them, in a tenth; one of two types, one that no column takes."""
    values = [attribute("http.route", "/cart"), attribute("app.tenant.of.the.request", f"tenant {number % 7}"),
              attribute("app.retries", number), attribute("app.mixed", number if number % 4 else "none"),
              attribute("app.list", otlp.nested(2))]
    if number % 2:
        values.append(attribute("app.load", number + 0.5))
    if number % 10 == 0:
        values.append(attribute("app.is_last", True))
    return otlp.span(attributes=values)


def send(server, count=SPAN_COUNT):
    with server.channel() as channel:
        export = Export(channel)
        assert export(otlp.request("traces", [make_span(number) for number in range(count)])).SerializeToString() == b""
        records = [otlp.log_record(attributes=attributes(app__user=f"user {number}", log__level="info"))
                   for number in range(count)]
        assert export(otlp.request("logs", records)).SerializeToString() == b""


def wait_for_column(server, db, column, last_unix_nano):
    """Until the writers put into it what they should. Sends spans to see that, and takes them out again."""
    newest = f"SELECT {column} FROM otel_spans_fact ORDER BY start_time_unix_nano DESC LIMIT 1"

    def is_used():
        with server.channel() as channel:
            Export(channel)(otlp.request("traces", [make_span(0)]))
        return db.execute(newest).fetchone()[0] is not None
    eventually(is_used, f"{column} to be used")
    db.execute("DELETE FROM otel_spans_fact WHERE start_time_unix_nano > %s", [last_unix_nano])


def size_without(verbs, scope, key):
    """How much smaller `attributes` are on disk, per row, when they are written without the key."""
    size = f"SELECT sum(COALESCE(pg_column_size(attributes), 0)) / count(*)::float8 FROM {TABLES[scope]}"
    before = verbs.db.execute(size).fetchone()[0]
    with verbs.db.transaction(force_rollback=True):
        verbs.db.execute(f"UPDATE {TABLES[scope]} SET attributes = NULLIF(attributes - %s, '{{}}')", [key])
        return before - verbs.db.execute(size).fetchone()[0]


# What they say

def test_list_says_what_there_is(verbs, server):
    send(server)
    found = verbs.listed()
    span = {name[1:]: (item["state"], item["row_share"]) for name, item in found.items() if name[0] == "spans"}
    assert span == {
        ("http.route", "string"): ("promoted", 1), ("app.tenant.of.the.request", "string"): ("unpromoted", 1),
        ("app.retries", "int"): ("unpromoted", 1), ("app.mixed", "int"): ("unpromoted", 0.75),
        ("app.mixed", "string"): ("unpromoted", 0.25), ("app.list", "array"): ("unpromoted", 1),
        ("app.load", "double"): ("unpromoted", 0.5), ("app.is_last", "bool"): ("unpromoted", 0.1)}
    assert found["logs", "log.level", "string"]["state"] == "promoted"
    assert found["resource", "service.name", "string"]["state"] == "promoted"
    for scope in ("spans", "logs"):
        shares = [item["byte_share"] for (owner, *_), item in found.items() if owner == scope]
        assert sum(shares) == pytest.approx(1, abs=1e-4)
    text = verbs("list", "--signal", "traces")
    assert "app.retries" in text.stdout and "log.level" not in text.stdout
    assert f"{SPAN_COUNT} spans" in text.stderr
    assert verbs.json("list", "--scope", "spans")["sample"] == {"spans": SPAN_COUNT}
    # Promoted attributes that nobody sends are shown on request.
    assert ("spans", "db.system", "string") not in found
    assert verbs.listed("--all")["spans", "db.system", "string"]["row_share"] == 0


def test_list_follows_the_rules(verbs, server):
    send(server)
    verbs.path.write_text("promote: {spans: {int: [app.retries], string: [app.retries]}}\n"
                          "drop: {spans: [app.load], logs: [never.seen]}\n")
    found = verbs.listed()
    states = {key: item["state"] for key, item in found.items()}
    assert states["spans", "app.retries", "int"] == "pending" and states["spans", "app.retries", "string"] == "pending"
    assert states["spans", "app.load", "double"] == "dropped" and states["logs", "never.seen", "any"] == "dropped"
    verbs.path.write_text("promote: {spans: {string: [app.retries]}}\n")
    assert verbs.listed()["spans", "app.retries", "int"]["state"] == "other type"


def test_suggest_counts_exactly_in_a_small_table(verbs, server):
    send(server)
    answer = verbs.json("suggest")
    assert answer["sample"] == {"spans": SPAN_COUNT, "logs": SPAN_COUNT}
    found = {(item["scope"], item["key"]): item for item in answer["suggestions"]}
    assert set(found) == {("spans", key) for key in ("app.tenant.of.the.request", "app.retries", "app.mixed",
                                                     "app.load", "app.is_last")} | {("logs", "app.user")}
    savings = [item["saving_bytes_per_row"] for item in answer["suggestions"]]
    assert savings == sorted(savings, reverse=True)
    tenant = found["spans", "app.tenant.of.the.request"]
    for (scope, key), item in found.items():
        assert item["bytes_per_row"] == pytest.approx(size_without(verbs, scope, key), abs=1e-3), key
    # The column has a byte before the text, and a bit that says whether it is NULL.
    assert tenant["saving_bytes_per_row"] == pytest.approx(tenant["bytes_per_row"] - 9 - 0.125, abs=1e-3)
    assert (tenant["type"], tenant["row_share"], tenant["type_share"], tenant["distinct_estimate"]) == ("string", 1, 1, 7)
    assert found["spans", "app.mixed"]["type_share"] == 0.75
    assert found["spans", "app.load"]["row_share"] == 0.5
    assert found["spans", "app.is_last"]["type"] == "bool"
    # Where it is all there is, the whole object goes.
    assert found["logs", "app.user"]["type_share"] == 1
    limited = verbs("suggest", "--signal", "traces", "--limit", "1")
    assert limited.returncode == OK and len(limited.stdout.splitlines()) == 2
    assert f"1 of 5 attributes without a column; looked at {SPAN_COUNT} spans" in limited.stderr


def test_suggest_reads_a_sample_only(verbs):
    """Of a large partition it reads few pages, and says how many rows."""
    verbs.db.execute(f"CREATE TABLE part PARTITION OF otel_spans_fact FOR VALUES FROM (0) TO ({2**62})")
    verbs.db.execute("INSERT INTO otel_spans_fact (start_time_unix_nano, end_time_unix_nano, span_id, resource_id, "
                     "trace_id, attributes) SELECT n, n, n, 1, gen_random_uuid(), "
                     "jsonb_build_object('app.group', n % 10, 'app.text', repeat('x', 100)) "
                     "FROM generate_series(1, 60000) AS n")
    verbs.db.execute("ANALYZE otel_spans_fact")
    answer = verbs.json("suggest", "--sample-rows", "500")
    assert answer["sample"]["spans"] == 500
    found = {item["key"]: item for item in answer["suggestions"]}
    assert found["app.group"]["row_share"] == 1 and found["app.group"]["distinct_estimate"] == 10
    pages = verbs.db.execute("SELECT pg_relation_size('part') / 8192").fetchone()[0]
    assert pages > 1000
    scanned = verbs.db.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT 1 FROM part TABLESAMPLE SYSTEM (4)")
    assert scanned.fetchone()[0][0]["Plan"]["Node Type"] == "Sample Scan"
    assert verbs.json("suggest", "--sample-rows", "500") == answer


def test_an_empty_database(verbs):
    assert verbs.json("suggest") == {"sample": {"spans": 0, "logs": 0}, "suggestions": []}
    assert verbs.json("list", "--scope", "metrics") == {"sample": {"metrics": 0}, "attributes": []}


# Promoting

def test_promote_keeps_what_suggest_said(verbs, server):
    """Rows get smaller by what was promised, and nobody can tell from the views."""
    send(server)
    saving = verbs.suggested()["spans", "app.tenant.of.the.request"]["saving_bytes_per_row"]
    retries = verbs.suggested()["spans", "app.retries"]["saving_bytes_per_row"]
    before = verbs.db.execute("SELECT name, attributes FROM v_otel_spans_enriched ORDER BY start_time_unix_nano").fetchall()
    size = verbs.db.execute("SELECT avg(pg_column_size(fact.*)) FROM otel_spans_fact AS fact").fetchone()[0]
    last = verbs.db.execute("SELECT max(start_time_unix_nano) FROM otel_spans_fact").fetchone()[0]

    answer = verbs.json("promote", "app.tenant.of.the.request", "app.retries:int", "--signal", "traces")
    assert answer == {"dry_run": False, "file": str(verbs.path), "promoted": [
        {"scope": "spans", "key": "app.tenant.of.the.request", "type": "string", "was_in_file": False,
         "new_column": "app_tenant_of_the_request"},
        {"scope": "spans", "key": "app.retries", "type": "int", "was_in_file": False, "new_column": "app_retries"}]}
    assert verbs.path.read_text() == ("# ours\npromote:\n  spans:\n    string:\n      - app.tenant.of.the.request\n"
                                      "    int:\n      - app.retries\n")
    reload(server)
    wait_for_column(server, verbs.db, "app_retries", last)
    send(server)
    assert verbs.db.execute(f"SELECT count(app_retries), count(*) FROM otel_spans_fact WHERE start_time_unix_nano > {last}"
                            ).fetchone() == (SPAN_COUNT, SPAN_COUNT)
    after = verbs.db.execute("SELECT avg(pg_column_size(fact.*)) FROM otel_spans_fact AS fact "
                             "WHERE start_time_unix_nano > %s", [last]).fetchone()[0]
    assert float(size - after) == pytest.approx(saving + retries, rel=0.25)
    views = verbs.db.execute("SELECT name, attributes FROM v_otel_spans_enriched ORDER BY start_time_unix_nano").fetchall()
    assert [attributes for _, attributes in views[SPAN_COUNT:]] == [attributes for _, attributes in before]
    assert views[:SPAN_COUNT] == before
    found = verbs.listed("--signal", "traces")
    assert found["spans", "app.retries", "int"] | {"byte_share": 0} == {
        "scope": "spans", "key": "app.retries", "type": "int", "state": "promoted", "row_share": 1, "byte_share": 0}
    assert ("spans", "app.retries") not in verbs.suggested()

    again = verbs.json("promote", "app.tenant.of.the.request", "app.retries", "--signal", "traces")
    assert [(item["was_in_file"], item["new_column"]) for item in again["promoted"]] == [(True, None)] * 2
    assert verbs.path.read_text().count("app.retries") == 1
    assert server.daemon.stop() == OK


def test_a_value_of_another_type_stays_in_attributes_after_the_reload(verbs, server):
    verbs.path.write_text("promote: {spans: {int: [app.mixed]}}\ndrop: {spans: [app.load], logs: [app.user]}\n")
    reload(server)
    eventually(lambda: "app.mixed:int" in verbs.columns(), "the column")
    eventually(lambda: "columns for attributes were added" in server.daemon.stderr(), "the writers to know of it")
    send(server)
    assert verbs.db.execute("SELECT count(app_mixed), count(*) FILTER (WHERE attributes -> 'app.mixed' = '\"none\"'), "
                            "count(*) FILTER (WHERE app_mixed IS NULL AND NOT attributes ? 'app.mixed'), "
                            "count(*) FILTER (WHERE attributes ? 'app.load') FROM otel_spans_fact"
                            ).fetchone() == (SPAN_COUNT * 3 // 4, SPAN_COUNT // 4, 0, 0)
    assert verbs.db.execute("SELECT count(*) FROM otel_logs_fact WHERE attributes ? 'app.user'").fetchone() == (0,)
    assert "app.load" not in str(verbs.db.execute("SELECT * FROM v_otel_spans_enriched").fetchall())
    assert server.daemon.stop() == OK


def test_a_drop_holds_from_the_reload_on(verbs, server):
    """Of a promoted attribute, one without a column, and one of resources; events and links have no scope of theirs."""
    resource = Resource(attributes=attributes(service__name="shop", host__name="secret host"))

    def send_one(number):
        event = Span.Event(time_unix_nano=otlp.BASE_NS, name="event", attributes=attributes(app__secret="in an event"))
        span = otlp.span(span_id=otlp.span_id(number), events=[event], attributes=attributes(
            app__secret=f"secret {number}", http__route="/secret", kept=number))
        with server.channel() as channel:
            assert Export(channel)(otlp.request("traces", [span], resource)).SerializeToString() == b""

    def shown(number):
        return verbs.db.execute("SELECT attributes || (resource_attributes - 'service.name'), events::text LIKE "
                                "'%%secret%%' FROM v_otel_spans_enriched WHERE span_id = %s", [number]).fetchone()

    send_one(1)
    assert shown(1) == ({"app.secret": "secret 1", "http.route": "/secret", "kept": 1, "host.name": "secret host"}, True)
    verbs.path.write_text("drop: {spans: [app.secret, http.route], resource: [host.name]}\n")
    reload(server)
    send_one(2)
    assert shown(2) == ({"kept": 2}, False)
    verbs.path.write_text("")
    reload(server)
    send_one(3)
    assert shown(3) == ({"app.secret": "secret 3", "http.route": "/secret", "kept": 3, "host.name": "secret host"}, True)
    assert server.daemon.stop() == OK


def test_dry_run_changes_nothing(verbs, server):
    send(server)
    before = verbs.columns()
    result = verbs("promote", "app.retries", "app.user", "--dry-run")
    assert result.returncode == OK and result.stdout.splitlines() == [
        "spans app.retries int, to be promoted", "logs app.user string, to be promoted"]
    assert verbs.path.read_text() == "# ours\n" and verbs.columns() == before


def test_what_cannot_be_promoted(verbs, server):
    send(server)
    verbs.path.write_text("promote:\n  spans:\n    string: [app.mine]\ndrop:\n  logs: [app.user]\n")
    text, columns = verbs.path.read_text(), verbs.columns()
    cases = {
        ("app.user",): ["dropped by", "drop.logs"], ("http.route:string", "--signal", "traces"): ["program itself"],
        ("http.route:int", "--signal", "traces"): ["promoted as string already", "by hand"],
        ("app.mine:bool", "--signal", "traces"): ["promoted as string already"],
        ("app.mixed",): ["no single type", "string in 100", "app.mixed:TYPE"],
        ("app.list",): ["no single type", "array in 400"],
        ("app.never",): ["none of the newest rows", "--signal"],
        ("app.never", "--signal", "logs"): ["none of the newest rows", "app.never:TYPE"],
        # All or nothing.
        ("app.retries", "app.never"): ["none of the newest rows"]}
    for arguments, parts in cases.items():
        assert_says(verbs("promote", *arguments), 1, *parts)
    assert verbs.path.read_text() == text and verbs.columns() == columns


def test_without_a_file_the_remedy_is_said(verbs):
    result = run(verbs.binary, "attributes", "promote", "a:int", "--signal", "logs",
                 environment=verbs.database.environment)
    assert_says(result, BAD_CONFIGURATION, "attributes.overrides_file", "set this key")


def test_the_file_may_be_behind_a_link(verbs, scratch):
    real = scratch / "real"
    verbs.path.rename(real)
    verbs.path.symlink_to(real)
    real.chmod(0o640)
    assert verbs("promote", "a.b:int", "--signal", "logs").returncode == OK
    assert verbs.path.is_symlink() and "a.b" in real.read_text() and real.stat().st_mode & 0o777 == 0o640


def test_a_layout_that_cannot_be_kept_is_said(verbs):
    verbs.path.write_text("promote: {spans: {}}  # gone\n")
    result = verbs("promote", "a.b:int", "--signal", "traces")
    assert result.returncode == OK and "could not be kept" in result.stderr
    assert verbs.path.read_text() == "promote:\n  spans:\n    int:\n      - a.b\n"
    assert (verbs.path.parent / "attributes.yaml.old").read_text() == "promote: {spans: {}}  # gone\n"


@pytest.mark.parametrize("arguments", [
    ["promote"], ["promote", ":int"], ["promote", "a:number"], ["promote", "x" * 513],
    ["promote", "a", "--signal", "logs", "--scope", "logs"], ["list", "--scope", "span"],
    ["list", "--sample-rows", "0"], ["suggest", "--sample-rows", "1000001"], ["suggest", "--limit", "0"],
    ["suggest", "--signal", "metrics"]])
def test_wrong_usage(binary, arguments):
    result = run(binary, "attributes", *arguments, environment=NOWHERE)
    assert result.returncode == USAGE and result.stderr and not result.stdout, result


@pytest.mark.parametrize("arguments", [["list"], ["suggest"], ["promote", "a:int", "--signal", "logs"]])
def test_help_and_errors(binary, cluster, scratch, arguments):
    verb = ["attributes", *arguments]
    helped = run(binary, *verb[:2], "--help")
    assert helped.returncode == OK and f"Examples:\n  starling {' '.join(verb[:2])}" in helped.stdout, helped
    path = scratch / "attributes.yaml"
    path.write_text("")
    verb += ["--set", f"attributes.overrides_file={path}"]
    assert_says(run(binary, *verb), BAD_CONFIGURATION, r"database\.url")
    assert_says(run(binary, *verb, environment=NOWHERE), UNREACHABLE, r"127\.0\.0\.1")
    cluster.create_database("bare")
    try:
        assert_says(run(binary, *verb, environment=Database(cluster, "bare").environment), 1, "starling migrate")
    finally:
        cluster.drop_database("bare")
    assert path.read_text() == ""
