# SPDX-License-Identifier: Apache-2.0
"""What Grafana is given: dashboards whose every query answers the truth, and a role that may do nothing else.

The database belongs to a role without further rights, so that views which need more than it has would fail.
"""

from datetime import datetime, timezone
import itertools
import json
import math
import re
import struct
import subprocess
from urllib.parse import unquote

import psycopg
import pytest

from conftest import ROOT, Database, Export
from support import grafana, otlp
from support.daemon import run
from support.grafana_world import ANY, DAY_NS, Expected, HOUR_NS, SPAN_NS, World
from support.otlp import BASE_NS, MINUTE_NS
from support.waiting import eventually

OWNER, READER = "grafana_owner", "grafana_reader"
DASHBOARDS = grafana.dashboards()
NOW_NS = BASE_NS + 30 * MINUTE_NS


@pytest.fixture(scope="module")
def database(cluster, binary):
    name = "grafana_views"
    with cluster.connect() as admin:
        admin.execute(f"CREATE ROLE {OWNER} LOGIN")
        admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    database = Database(cluster, name)
    database.environment = {"STARLING_DATABASE_URL": cluster.url(name).replace("starling@", f"{OWNER}@")}
    result = run(binary, "migrate", environment=database.environment)
    assert result.returncode == 0, result
    for _ in range(2):  # it may be run again
        make_role(cluster, name, READER, "it's secret")
    yield database
    cluster.drop_database(name)
    with cluster.connect() as admin:
        admin.execute(f"DROP ROLE {READER}")
        admin.execute(f"DROP ROLE {OWNER}")


def make_role(cluster, database, role, password):
    command = ["psql", "--no-psqlrc", "--quiet", f"--set=role={role}", f"--set=password={password}",
               "--set=timeout=20s", f"--file={grafana.FOLDER / 'role.sql'}", f"--dbname={cluster.conninfo(database)}"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0 and not result.stderr, result


def reader(database):
    conninfo = database.cluster.conninfo(database.name).replace("user=starling", f"user={READER}")
    return psycopg.connect(conninfo, autocommit=True)


@pytest.fixture
def grafana_db(database):
    with reader(database) as connection:
        yield connection


@pytest.fixture(scope="module")
def world(starling, start_server):
    """Sent and stored, with a retry, and with three spans that could not be; and figures of it."""
    world = World()
    with starling.channel() as channel:
        export = Export(channel)
        requests = list(world.requests())
        for request in requests:
            assert export(request).SerializeToString() == b""
        export(requests[0])
        bad = otlp.request("traces", [otlp.span(trace_id=b"short") for _ in range(3)])
        assert export(bad).partial_success.rejected_spans == 3
    world.deduplicated = sum(item.service == "cart" for item in world.spans)
    with reader(starling.database) as connection:
        eventually(lambda: connection.execute("SELECT sum(deduplicated) FROM grafana.ledger").fetchone()[0]
                   == world.deduplicated, "the ledger to have the retry")
        # A daemon looks at once.
        start_server(starling.database)
        yesterday_hour_ns = (BASE_NS - DAY_NS) // HOUR_NS * HOUR_NS
        eventually(lambda: connection.execute(
            "SELECT count(*) FROM grafana.service_periods WHERE is_hour AND time <= to_timestamp(%s / 1e9) OR NOT is_hour "
            "AND time >= to_timestamp(%s / 1e9) AND time < to_timestamp(%s / 1e9)",
            [yesterday_hour_ns, BASE_NS, BASE_NS + SPAN_NS]).fetchone()[0] == 1 + SPAN_NS // MINUTE_NS, "figures")
    return world


def today(uid, **chosen):
    return grafana.View(DASHBOARDS[uid], BASE_NS, BASE_NS + SPAN_NS, 60_000, chosen)


def yesterday(uid, **chosen):
    return grafana.View(DASHBOARDS[uid], BASE_NS - DAY_NS + MINUTE_NS, BASE_NS - DAY_NS + 12 * MINUTE_NS, 15_000, chosen)


def with_hours(interval_ms, **chosen):
    """From amid yesterday's first hour of spans, or before it, so that there are whole hours and minutes."""
    hour_ns = (BASE_NS - DAY_NS) // HOUR_NS * HOUR_NS
    return grafana.View(DASHBOARDS["starling-services"], hour_ns - HOUR_NS + 7 * MINUTE_NS, BASE_NS + SPAN_NS, interval_ms,
                        chosen)


def all_time(uid):
    return grafana.View(DASHBOARDS[uid], BASE_NS - 2 * DAY_NS, NOW_NS + DAY_NS, 60_000)


def assert_rows(found, expected, what):
    assert len(found) == len(expected), f"{what}: {len(found)} rows, expected {len(expected)}"
    for index, (row, wanted) in enumerate(zip(found, expected)):
        assert len(row) == len(wanted), what
        for value, one in zip(row, wanted):
            is_close = isinstance(one, float) and value is not None and math.isclose(value, one, rel_tol=1e-9)
            assert is_close or value == one or one is ANY, f"{what}, row {index}: {row}, expected {wanted}"


# Figures

@pytest.mark.parametrize("view", [
    today("starling-services"), today("starling-services", service=["o'brien", "cart"]),
    yesterday("starling-services"), today("starling-services", service=["nobody"]),
    with_hours(60_000), with_hours(2 * 3600_000, service=["cart"]),
    today("starling-traces"), today("starling-traces", service=["o'brien"], min_ms="12.5"),
    yesterday("starling-traces", min_ms=""), today("starling-logs"),
    yesterday("starling-logs", level=["error", "unknown"], service=["checkout"]),
    today("starling-logs", search="O'CLOCK"), today("starling-logs", search="100% of disk"),
], ids=lambda view: f"{view.dashboard['uid']} {view.chosen or 'all'} {(view.to_ns - view.from_ns) // MINUTE_NS} min")
def test_telemetry_dashboards_say_what_was_sent(grafana_db, world, view):
    expected = getattr(Expected(world, view), view.dashboard["uid"].removeprefix("starling-"))()
    assert {key for key, _ in view.panels()} == expected.keys(), "a panel without expectation"
    for key, sql in view.panels():
        assert_rows(grafana_db.execute(sql).fetchall(), expected[key], key)


def test_daemon_dashboard_says_what_became_of_it(grafana_db, world, database, binary):
    assert run(binary, "retention", "set", "traces", "--days", "20", environment=database.environment).returncode == 0
    view = all_time("starling-daemon")
    rows = {}
    for key, sql in view.panels():
        rows[key] = grafana_db.execute(sql).fetchall()
    stored = len(world.spans) + len(world.logs)
    with database.connect() as admin:
        size = admin.execute("SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' "
                             "AND relnamespace = 'public'::regnamespace").fetchone()[0]
        of_facts = dict(admin.execute("SELECT relname, pg_total_relation_size(oid) FROM pg_class "
                                      "WHERE relispartition AND relkind = 'r' AND relname LIKE '%fact%'"))
    assert rows.pop(("Received", "stat")) == [(stored + 3 + world.deduplicated,)]
    assert rows.pop(("Stored", "stat")) == [(stored,)]
    assert rows.pop(("Refused", "stat")) == rows.pop(("Unaccounted for", "stat")) == [(0,)]
    assert rows.pop(("Dead letters", "stat")) == [(3,)]
    assert abs(rows.pop(("On disk", "stat"))[0][0] - size) < size // 10  # it lives on
    per_second = rows.pop(("Stored per second", "timeseries"))
    assert sum(float(value) * 60 for _, signal, value in per_second if signal == "logs") == pytest.approx(len(world.logs))
    assert sum(float(value) * 60 for _, _, value in per_second) == pytest.approx(stored)
    lost = rows.pop(("Not stored", "timeseries"))
    assert [sum(column) for column in list(zip(*lost))[1:]] == [3, world.deduplicated, 0]
    reasons = rows.pop(("Dead letters by reason", "timeseries"))
    assert [(reason, count) for _, reason, count in reasons] == [("invalid_trace_id", 3)]
    letters = rows.pop(("Newest dead letters", "table"))
    assert [row[2:6] for row in letters] == [("traces", "integration", "invalid_trace_id", None)] * 3
    assert [row[1] for row in letters] == sorted((row[1] for row in letters), reverse=True)
    days = rows.pop(("Bytes by day of the telemetry", "timeseries"))
    assert {signal for _, signal, _ in days} == {"traces", "logs", "metrics"}
    assert all(time.tzinfo and size > 0 for time, _, size in days)
    tables = {row[1]: row for row in rows.pop(("Partitions", "table"))}
    assert len(tables) == 6 and {row[0] for row in tables.values()} == {"traces", "logs", "metrics"}
    spans = tables["otel_spans_fact"]
    assert spans[2] == sum("spans" in name for name in of_facts)
    assert spans[3] <= datetime.fromtimestamp((BASE_NS - DAY_NS) / 1e9, timezone.utc) < spans[4]
    assert spans[5] > 6 * 86_400, "partitions ahead"
    assert spans[7] == sum(size for name, size in of_facts.items() if "spans" in name)
    largest = rows.pop(("Largest tables", "table"))
    assert "otel_logs_fact" in {row[0] for row in largest} and not any("_p2" in row[0] for row in largest)
    assert all(row[2] + row[3] == row[4] for row in largest)
    maintenance = rows.pop(("Maintenance", "table"))
    assert ("set_policy", "traces") in {row[1:3] for row in maintenance}
    assert not rows, "a panel without expectation"


def test_variables_offer_what_there_is(grafana_db, world):
    for uid in DASHBOARDS:
        for name, sql in today(uid).variables():
            offered = [value for value, in grafana_db.execute(sql)]
            assert {item.service for item in world.spans} <= set(offered) and offered == sorted(offered), (uid, name)


def test_time_series_come_as_grafana_wants_them(grafana_db, world):
    """A column `time` first; then one `metric` and one value, or values only."""
    for uid, dashboard in DASHBOARDS.items():
        formats = {panel["title"]: panel["targets"][0]["format"] for panel in dashboard["panels"]
                   if panel["type"] in ("timeseries", "heatmap")}
        assert all(kind == "time_series" for kind in formats.values()), uid
        for (title, kind), sql in all_time(uid).panels():
            if kind in ("timeseries", "heatmap"):
                names = [column.name for column in grafana_db.execute(sql).description]
                assert names[0] == "time" and ("metric" not in names or names[1:] == ["metric", "value"]), (uid, title)
            if kind == "logs":
                names = [column.name for column in grafana_db.execute(sql).description]
                assert names[:4] == ["time", "body", "level", "id"]


# What is read

def relations(plan):
    if isinstance(plan, list):
        return set().union(*map(relations, plan))
    found = {plan["Relation Name"]} if "Relation Name" in plan else set()
    return found | relations(plan.get("Plans", []))


@pytest.mark.parametrize("uid", ["starling-services", "starling-traces", "starling-logs"])
def test_a_range_of_time_skips_partitions(grafana_db, world, uid):
    bounds = {name: (begin, end) for name, begin, end in grafana_db.execute(
        "SELECT partition, from_unix_nano, until_unix_nano FROM grafana.partitions")}
    for view in (today(uid), yesterday(uid, service=["cart"])):
        for key, sql in view.panels():
            if uid == "starling-services" and key[0] != "Operations":
                continue
            plan, = grafana_db.execute(f"EXPLAIN (FORMAT JSON) {sql}").fetchone()
            read = relations(plan[0]["Plan"]) & bounds.keys()
            assert read and all(bounds[name][0] <= view.to_ns and bounds[name][1] > view.from_ns for name in read), (
                key, read)
            assert len(read) <= 2 < sum("spans" in name for name in bounds), key


def test_figures_of_services_are_not_made_of_spans(grafana_db, world):
    """All panels but one: a day of them costs no more than its minutes and hours."""
    for key, sql in today("starling-services").panels():
        plan, = grafana_db.execute(f"EXPLAIN (FORMAT JSON) {sql}").fetchone()
        reads_spans = any("spans_fact" in name for name in relations(plan[0]["Plan"]))
        assert reads_spans == (key[0] == "Operations"), key


# Functions

@pytest.mark.parametrize("begin, end, uses_hours", [
    (0, 180, True), (0, 180, False), (7, 173, True), (60, 120, True), (61, 119, True), (30, 31, True), (60, 60, True)])
def test_calls_of_a_range_are_counted_once(grafana_db, world, begin, end, uses_hours):
    """Minutes from the hour before yesterday's spans."""
    first_ns = (BASE_NS - DAY_NS) // HOUR_NS * HOUR_NS - HOUR_NS
    since, until = first_ns + begin * MINUTE_NS, first_ns + end * MINUTE_NS
    counted = [item for item in world.spans if since <= item.time_ns < until and item.is_entry]
    found = grafana_db.execute("SELECT sum(call_count), sum(error_count), sum(length(latency_buckets)) > 0 "
                               "FROM grafana.service_calls(%s, %s, %s) WHERE is_entry", [since, until, uses_hours])
    assert found.fetchone() == ((len(counted), sum(item.is_error for item in counted), True) if counted else (None,) * 3)
    seconds, = grafana_db.execute("SELECT grafana.service_seconds(%s, %s)", [since, until]).fetchone()
    assert seconds == ((until - max(since, first_ns + HOUR_NS)) // 10**9 if until > first_ns + HOUR_NS and since < until
                       else None)


def test_quantiles_of_buckets(grafana_db):
    def quantiles(counts, shares):
        packed = b"".join(struct.pack(">hi", *pair) for pair in counts)
        return grafana_db.execute("SELECT grafana.latency_quantiles_ms(%s, %s)", [packed, shares]).fetchone()[0]

    def middle_ms(bucket):
        return pytest.approx(2 ** ((bucket + 0.5) / 8) / 1e6)
    assert quantiles([], [0.5]) is None
    assert quantiles([(79, 1)], [0.0, 1.0]) == [middle_ms(79)] * 2
    assert quantiles([(300, 1), (100, 98), (335, 1)], [0.98, 0.981, 1.0]) == [
        middle_ms(100), middle_ms(300), middle_ms(335)]
    # Numbers that need three bytes and four, beside smaller ones.
    assert quantiles([(100, 70_000), (200, 60_000)], [0.5, 0.95]) == [middle_ms(100), middle_ms(200)]
    assert quantiles([(100, 2**24), (200, 2**24 - 2)], [0.5, 0.51]) == [middle_ms(100), middle_ms(200)]
    assert quantiles([(100, 2**24 + 2**16 + 2**8), (200, 2**24)], [0.5, 0.51]) == [middle_ms(100), middle_ms(200)]
    # In parts and in any order.
    assert quantiles([(200, 2**31 - 1), (100, 2**31 - 1), (100, 2), (200, 2)], [0.5, 0.6]) == [
        middle_ms(100), middle_ms(200)]


# Rights

def test_the_role_is_as_harmless_as_its_file_says(grafana_db):
    settings = [grafana_db.execute(f"SHOW {name}").fetchone()[0] for name in (
        "default_transaction_read_only", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")]
    assert settings == ["on", "20s", "5s", "1min"]
    assert grafana_db.execute(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit FROM pg_roles "
        "WHERE rolname = current_user").fetchone() == (False, False, False, False, False, 20)


def test_it_has_the_password_that_was_given(database):
    with database.connect() as admin:
        verifier, = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [READER]).fetchone()
        assert verifier.startswith("SCRAM-SHA-256$")
        make_role(database.cluster, database.name, READER, "another")
        changed, = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [READER]).fetchone()
    assert changed != verifier


def test_it_reads_nothing_but_the_views(grafana_db, database):
    with database.connect() as admin:
        names = [name for name, in admin.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'S') "
            "AND relnamespace = 'public'::regnamespace")]
    assert {"otel_tokens", "otel_dead_letters", "otel_export_ledger", "otel_spans_fact", "v_otel_traces"} <= set(names)
    for name in names:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            grafana_db.execute(f"SELECT * FROM {name} LIMIT 1")


@pytest.mark.parametrize("statement", [
    "INSERT INTO grafana.dead_letters (signal) VALUES ('logs')", "UPDATE grafana.ledger SET tenant = ''",
    "DELETE FROM grafana.maintenance", "DELETE FROM public.otel_tokens", "TRUNCATE public.otel_spans_fact",
    "CREATE TABLE grafana.mine ()", "CREATE TABLE public.mine ()", "DROP VIEW grafana.spans",
    "CREATE SCHEMA mine", "CREATE ROLE mine",
    "SET ROLE " + OWNER, "SELECT pg_read_file('/etc/passwd')", "COPY grafana.spans TO PROGRAM 'true'",
], ids=str)
def test_it_changes_nothing(grafana_db, statement):
    """Nor once it has switched off what only keeps an honest query from doing harm."""
    grafana_db.execute("SET default_transaction_read_only = off")
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        grafana_db.execute(statement)


def test_no_secret_is_in_a_view(grafana_db):
    columns = grafana_db.execute("SELECT table_name, column_name FROM information_schema.columns "
                                 "WHERE table_schema = 'grafana'").fetchall()
    assert columns and not [pair for pair in columns if re.search("token|hash|prefix|fingerprint|^request$", pair[1])]
    sources = {name for name, in grafana_db.execute(
        "SELECT DISTINCT source.relname FROM pg_rewrite JOIN pg_class AS view ON view.oid = ev_class "
        "JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid "
        "JOIN pg_class AS source ON source.oid = refobjid AND refclassid = 'pg_class'::regclass "
        "WHERE view.relnamespace = 'grafana'::regnamespace")}
    assert "otel_loss_ledger" in sources and not [name for name in sources if "token" in name or "spool" in name]


def test_views_of_a_later_version_are_readable(database, grafana_db):
    with database.connect() as admin:
        admin.execute(f"SET ROLE {OWNER}")
        admin.execute("CREATE VIEW grafana.later AS SELECT 1 AS one")
        assert grafana_db.execute("SELECT one FROM grafana.later").fetchone() == (1,)
        admin.execute("DROP VIEW grafana.later")


def test_views_made_anew_stay_readable(database, grafana_db, binary):
    """Where a column of another version was of another type, all of them are dropped and made again."""
    with database.connect() as admin:
        admin.execute(f"SET ROLE {OWNER}")
        admin.execute("DROP VIEW grafana.services; CREATE VIEW grafana.services AS SELECT 1 AS service_name; "
                      "COMMENT ON VIEW grafana.services IS 'old [definition 0123456789abcdef]'; "
                      f"GRANT SELECT ON grafana.services TO {READER} WITH GRANT OPTION")
    result = run(binary, "migrate", environment=database.environment)
    assert result.returncode == 0 and "views" in result.stdout, result
    assert grafana_db.execute("SELECT count(*) FROM grafana.services WHERE service_name = 'cart'").fetchone()
    assert grafana_db.execute("SELECT has_table_privilege('grafana.services', 'SELECT WITH GRANT OPTION')").fetchone()[0]
    assert run(binary, "migrate", "--check", environment=database.environment).returncode == 0


# The schema

def test_who_may_not_make_the_schema_is_told_what_to_do(cluster, binary):
    name = "grafana_denied"
    with cluster.connect() as admin:
        admin.execute("CREATE ROLE denied LOGIN")
        admin.execute(f"CREATE DATABASE {name}")
    try:
        with cluster.connect(name) as admin:
            admin.execute("GRANT ALL ON SCHEMA public TO denied")
            environment = {"STARLING_DATABASE_URL": cluster.url(name).replace("starling@", "denied@")}
            result = run(binary, "migrate", environment=environment)
            assert result.returncode == 1 and "CREATE SCHEMA grafana AUTHORIZATION denied" in result.stderr, result
            admin.execute("CREATE SCHEMA grafana AUTHORIZATION denied")
            assert run(binary, "migrate", environment=environment).returncode == 0
            assert run(binary, "migrate", "--check", environment=environment).returncode == 0
    finally:
        cluster.drop_database(name)
        with cluster.connect() as admin:
            admin.execute("DROP ROLE denied")


def test_a_schema_of_somebody_else_is_left_alone(cluster, binary):
    name = "grafana_taken"
    with cluster.connect() as admin:
        admin.execute("CREATE ROLE taken LOGIN")
        admin.execute(f"CREATE DATABASE {name} OWNER taken")
    try:
        with cluster.connect(name) as admin:
            admin.execute("CREATE SCHEMA grafana")
            environment = {"STARLING_DATABASE_URL": cluster.url(name).replace("starling@", "taken@")}
            result = run(binary, "migrate", environment=environment)
            assert result.returncode == 1 and "owner of schema grafana" in result.stderr, result
            assert admin.execute("SELECT obj_description('grafana'::regnamespace, 'pg_namespace')").fetchone() == (None,)
    finally:
        cluster.drop_database(name)
        with cluster.connect() as admin:
            admin.execute("DROP ROLE taken")


# Files

PAGE = (ROOT / "docs" / "grafana.md").read_text()


def test_the_page_names_every_view_and_column(grafana_db):
    said = {name: re.findall(r"`(\w+)`", columns) for name, columns in re.findall(
        r"^\| `grafana\.(\w+)` \|[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE)}
    found = {}
    for view, column in grafana_db.execute(
            "SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE relnamespace = 'grafana'::regnamespace AND attnum > 0 ORDER BY attnum"):
        found.setdefault(view, []).append(column)
    assert said == found


def sources():
    """uid -> type, of the data sources that are provisioned."""
    text = (grafana.FOLDER / "provisioning" / "datasources" / "starling.yaml").read_text()
    return dict(re.findall(r"^  - uid: (\S+)\n    name: .*\n    type: (\S+)$", text, re.MULTILINE))


def references(value):
    """Every data source that a dashboard names."""
    if isinstance(value, dict):
        if "datasource" in value and isinstance(value["datasource"], dict):
            yield value["datasource"]["uid"], value["datasource"]["type"]
        value = value.values()
    elif not isinstance(value, list):
        return
    for part in value:
        yield from references(part)


def test_dashboards_name_data_sources_that_exist():
    assert sources() == {"starling-postgresql": "grafana-postgresql-datasource", "starling-jaeger": "jaeger"}
    for uid, dashboard in DASHBOARDS.items():
        assert set(references(dashboard)) <= set(sources().items()), uid
        for url in re.findall(r'"(/explore\?[^"]*)"', json.dumps(dashboard)):
            panes = json.loads(unquote(url.partition("panes=")[2]))
            assert set(references(panes["trace"])) <= set(sources().items())
            assert panes["trace"]["datasource"] in sources()


def test_dashboards_are_well_formed():
    assert set(DASHBOARDS) == {"starling-services", "starling-traces", "starling-logs", "starling-daemon"}
    for uid, dashboard in DASHBOARDS.items():
        assert (grafana.FOLDER / "dashboards" / f"{uid}.json").is_file()
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
        for one, other in itertools.combinations([panel["gridPos"] for panel in dashboard["panels"]], 2):
            apart = (one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
                     or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"])
            assert apart, (uid, one, other)
        names = {variable["name"] for variable in dashboard["templating"]["list"]}
        used = set(re.findall(r"\$([a-z]\w*)", " ".join(panel["targets"][0]["rawSql"] for panel in dashboard["panels"])))
        assert used == names, uid
