# SPDX-License-Identifier: Apache-2.0
"""Views follow the promoted attributes, whoever reads them, grants on them or builds upon them meanwhile."""

import subprocess

import psycopg
import pytest

from support import full, otlp
from support.daemon import clean_environment, run
from support.expected_schema import KINDS, VIEWS
from support.promotion import move_into_columns, promote
from support.waiting import eventually

OK, PENDING = 0, 2

# Keys of support/full.py, one of each kind and the ones that break careless SQL. The longest that can be promoted.
PROMOTED = [("text", "string", "full_text"), ("int.9", "int", "int_9"), ("true", "bool", "order"),
            ("bytes", "bytes", "user"), ('"\\\n', "string", "attr____"),
            ("same.twice", "string", "same_twice"), ("same.twice", "int", "same_twice_int"),
            ("$double", "string", "attr__double"), ("k" * 512, "string", "k" * 63), ("double.24", "double", "double_24")]
PROMOTED += [(f"double.{index}", "double", f"double_{index}") for index in range(24)]
OWNERS = {"otel_span_attrs": "v_otel_spans_enriched", "otel_log_attrs": "v_otel_logs_enriched"}
IDS = {"otel_span_attrs": "span_id", "otel_log_attrs": "log_id", "otel_span_event_attrs": "span_id, event_id",
       "otel_span_link_attrs": "span_id, link_id"}


@pytest.fixture
def database(cluster, binary, request):
    """One per test: what they do to the schema stays."""
    from conftest import Database
    name = request.node.name.split("[")[0]
    cluster.create_database(name)
    made = Database(cluster, name)
    assert run(binary, "migrate", environment=made.environment).returncode == OK
    yield made
    cluster.drop_database(name)


@pytest.fixture
def db(database):
    connection = database.connect()
    yield connection
    connection.close()


@pytest.fixture
def migrate(binary, database):
    def call(*arguments):
        return run(binary, "migrate", *arguments, environment=database.environment)
    return call


def names(connection):
    return {name for name, in connection.execute("SELECT relname FROM pg_class WHERE relkind = 'v' "
                                                 "AND relnamespace = 'public'::regnamespace")}


def test_nothing_to_do_the_second_time(db, migrate):
    before = db.execute("SELECT oid, xmin::text FROM pg_class WHERE relkind = 'v' ORDER BY 1").fetchall()
    assert migrate("--check").returncode == OK
    result = migrate()
    assert result.returncode == OK and not result.stdout, result
    assert db.execute("SELECT oid, xmin::text FROM pg_class WHERE relkind = 'v' ORDER BY 1").fetchall() == before


def test_a_view_that_is_missing_is_made_again(db, migrate):
    db.execute("DROP VIEW otel_span_events, v_otel_metrics_enriched")
    checked = migrate("--check")
    assert checked.returncode == PENDING and "2 views" in checked.stdout
    assert names(db) == VIEWS.keys() - {"otel_span_events", "v_otel_metrics_enriched"}
    assert migrate().returncode == OK
    assert names(db) == VIEWS.keys()


# Promotions

def shown(connection):
    """All that the enriched views say about attributes, as text."""
    return {view: connection.execute(f"SELECT {'span_id' if 'span' in view else 'log_id'}, attributes::text "
                                     f"FROM {view} ORDER BY 1").fetchall() for view in OWNERS.values()}


def test_promoted_attributes_appear(db, database, start_server, migrate):
    """Whether a row was written before the promotion or after it, and whatever the value."""
    server = start_server(database)
    with server.channel() as channel:
        from conftest import Export
        export = Export(channel)
        for signal in ("traces", "logs"):
            assert export(full.FULL[signal]()).SerializeToString() == b""
    before = shown(db)
    for signal in ("spans", "logs"):
        for key, kind, column in PROMOTED:
            promote(db, signal, key, kind, column)
    assert migrate("--check").returncode == PENDING
    assert "views" in migrate().stdout
    assert shown(db) == before
    check_attribute_views(db)
    moved = 0
    for signal in ("spans", "logs"):
        for key, kind, column in PROMOTED:
            moved += move_into_columns(db, signal, key, kind, column)
    assert moved == 2 * (len(PROMOTED) - 1)  # one promoted twice, with one value
    assert shown(db) == before
    check_attribute_views(db)
    assert migrate("--check").returncode == OK
    assert server.daemon.stop() == OK


def check_attribute_views(connection):
    """Every attribute is in one view only, and in the typed one of its kind exactly if it is promoted for that."""
    for prefix, ids in IDS.items():
        signal = "logs" if "log" in prefix else "spans"
        promoted = set(connection.execute("SELECT key, type FROM otel_attribute_columns WHERE signal = %s",
                                          [signal]).fetchall())
        typed = {}
        for kind in KINDS:
            for key, *owner in connection.execute(
                    f"SELECT known.key, {ids} FROM {prefix}_{kind} JOIN attribute_keys AS known USING (key_id)"):
                assert (key, kind) in promoted
                typed.setdefault(tuple(owner), []).append((key, kind))
        other = {tuple(owner): attributes for attributes, *owner in connection.execute(
            f"SELECT attributes, {ids} FROM {prefix}_other")}
        source = OWNERS.get(prefix) or ("otel_span_events" if "event" in prefix else "otel_span_links")
        wholes = connection.execute(f"SELECT (SELECT jsonb_object_agg(key, otel_value_kind(value)) "
                                    f"FROM jsonb_each(attributes)), {ids} FROM {source}").fetchall()
        assert any(kinds for kinds, *_ in wholes)
        for kinds, *owner in wholes:
            expected = {pair for pair in (kinds or {}).items() if pair in promoted}
            found = typed.get(tuple(owner), [])
            assert len(found) == len(set(found)) and set(found) == expected, (prefix, owner)
            assert other.get(tuple(owner), {}).keys() == (kinds or {}).keys() - dict(expected).keys()


def test_values_of_typed_views(db, migrate, database, start_server):
    """What the typed views give is the value itself."""
    server = start_server(database)
    with server.channel() as channel:
        from conftest import Export
        Export(channel)(full.FULL["traces"]())
    for key, kind, column in PROMOTED:
        promote(db, "spans", key, kind, column)
    assert migrate().returncode == OK
    for key, kind, column in PROMOTED:
        expected = db.execute(f"SELECT otel_value_{kind}(attributes -> %s) FROM otel_spans_fact WHERE "
                              "otel_value_kind(attributes -> %s) = %s", [key, key, kind]).fetchall()
        query = (f"SELECT value FROM otel_span_attrs_{kind} WHERE key = %s", [key])
        assert repr(db.execute(*query).fetchall()) == repr(expected)
        move_into_columns(db, "spans", key, kind, column)
        assert repr(db.execute(*query).fetchall()) == repr(expected)
    server.daemon.stop()


def test_more_columns_than_a_function_takes_arguments(db, migrate):
    for index in range(130):
        promote(db, "logs", f"key.{index}", list(KINDS)[index % 5], f"key_{index}")
    assert migrate().returncode == OK
    db.execute(f"CREATE TABLE part PARTITION OF otel_logs_fact FOR VALUES FROM (0) TO ({2**62})")
    db.execute("INSERT INTO otel_logs_fact (time_unix_nano, log_id, resource_id, key_0, key_66, key_127, key_128, "
               "key_129) VALUES (1, 2, 3, 'text', 7, 5, true, '\\x00')")
    assert db.execute("SELECT attributes FROM v_otel_logs_enriched").fetchone() == ({
        "key.0": "text", "key.66": 7, "key.127": 5.0, "key.128": True, "key.129": {"$bytes": "AA=="}},)


def test_a_registered_column_that_does_not_exist_is_left_out(db, migrate):
    db.execute("INSERT INTO otel_attribute_columns (signal, key, type, column_name) VALUES ('logs', 'a', 'int', 'a')")
    assert migrate("--check").returncode == OK
    db.execute("ALTER TABLE otel_logs_fact ADD COLUMN a bigint")
    assert migrate("--check").returncode == PENDING
    assert migrate().returncode == OK


# Others at work

def test_a_reader_is_not_disturbed(db, database, binary, migrate):
    """It holds the views that are to be replaced, for as long as it likes, and the refresh waits."""
    promote(db, "spans", "a.key", "string", "a_key")
    with database.connect() as reader:
        with reader.transaction():
            cursor = reader.cursor("open")
            cursor.execute("SELECT * FROM otel_span_attrs_string")
            assert reader.execute("SELECT count(*) FROM v_otel_spans_enriched").fetchone() == (0,)
            waiting = subprocess.Popen([binary, "migrate"], env=clean_environment() | database.environment,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2):  # it comes back after it gave up
                eventually(lambda: lock_is_awaited(db), "the refresh to wait for the reader")
                eventually(lambda: not lock_is_awaited(db), "the refresh to let others pass")
            with database.connect() as other:
                other.execute("SET statement_timeout = '10s'")
                assert other.execute("SELECT count(*) FROM otel_span_attrs_string").fetchone() == (0,)
            assert cursor.fetchall() == [] and waiting.poll() is None
            assert reader.execute("SELECT count(*) FROM otel_span_attrs_string").fetchone() == (0,)
        out, err = waiting.communicate(timeout=60)
        assert waiting.returncode == OK and b"views" in out, err
        definition, = db.execute("SELECT pg_get_viewdef('otel_span_attrs_string')").fetchone()
        assert "a_key" in definition
        assert reader.execute("SELECT count(*) FROM otel_span_attrs_string").fetchone() == (0,)


def lock_is_awaited(connection):
    return connection.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation' "
                              "AND relation::regclass::text LIKE '%%otel_span%%')").fetchone()[0]


def test_several_at_once(db, database, binary):
    promote(db, "logs", "a.key", "int", "a_key")
    running = [subprocess.Popen([binary, "migrate"], env=clean_environment() | database.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    results = [(process.communicate(timeout=60), process.returncode) for process in running]
    assert all(status == OK for _, status in results), results
    assert db.execute("SELECT pg_get_viewdef('otel_log_attrs_int') LIKE '%%a_key%%'").fetchone() == (True,)


def test_views_and_grants_of_others_stay(db, migrate):
    """A promotion changes no column, so nothing is dropped."""
    db.execute("DROP ROLE IF EXISTS dashboard")
    db.execute("CREATE ROLE dashboard")
    db.execute("GRANT SELECT ON v_otel_spans_enriched TO dashboard")
    db.execute("CREATE VIEW mine AS SELECT span_id, attributes FROM v_otel_spans_enriched")
    promote(db, "spans", "a.key", "string", "a_key")
    assert migrate().returncode == OK
    assert db.execute("SELECT has_table_privilege('dashboard', 'v_otel_spans_enriched', 'SELECT')").fetchone() == (True,)
    assert db.execute("SELECT count(*) FROM mine").fetchone() == (0,)
    db.execute("DROP OWNED BY dashboard; DROP ROLE dashboard")


OLD_MARK = "of another version [definition 0123456789abcdef]"


def make_old_version(connection):
    """Views as a version made them whose columns were others, and one that is no more."""
    connection.execute("DROP VIEW otel_span_links; DROP FUNCTION otel_unix_nano; "
                       "CREATE VIEW otel_span_links AS SELECT 1 AS other_column; "
                       "CREATE VIEW otel_of_old AS SELECT * FROM otel_span_links; "
                       "CREATE FUNCTION otel_unix_nano(t timestamptz) RETURNS text RETURN 'x'")
    for thing in ("VIEW otel_span_links", "VIEW otel_of_old", "FUNCTION otel_unix_nano"):
        connection.execute(f"COMMENT ON {thing} IS '{OLD_MARK}'")


def test_views_of_another_version_are_replaced(db, migrate):
    """With other columns, which needs a DROP. Grants survive it."""
    make_old_version(db)
    db.execute("DROP ROLE IF EXISTS auditor")
    db.execute('CREATE ROLE auditor')
    db.execute("GRANT SELECT ON otel_span_links TO auditor WITH GRANT OPTION")
    db.execute("GRANT SELECT ON v_otel_traces TO PUBLIC")
    result = migrate()
    assert result.returncode == OK, result
    assert names(db) == VIEWS.keys()
    assert db.execute("SELECT link_id FROM otel_span_links").fetchall() == []
    assert db.execute("SELECT otel_unix_nano('epoch')").fetchone() == (0,)
    assert db.execute("SELECT has_table_privilege('auditor', 'otel_span_links', 'SELECT WITH GRANT OPTION'), "
                      "has_table_privilege('auditor', 'v_otel_traces', 'SELECT'), "
                      "has_table_privilege('auditor', 'otel_span_events', 'SELECT')").fetchone() == (True, True, False)
    assert migrate("--check").returncode == OK
    db.execute("DROP OWNED BY auditor; DROP ROLE auditor")


def test_what_others_built_is_never_dropped(db, migrate):
    make_old_version(db)
    db.execute("CREATE VIEW mine AS SELECT other_column FROM otel_span_links")
    result = migrate()
    assert result.returncode not in (OK, PENDING) and "depend" in result.stderr, result
    assert db.execute("SELECT other_column FROM mine").fetchall() == [(1,)]
    db.execute("DROP VIEW mine")
    assert migrate().returncode == OK


def test_a_table_in_the_way_is_named(db, migrate):
    db.execute("DROP VIEW otel_span_events; CREATE TABLE otel_span_events (mine int)")
    result = migrate()
    assert result.returncode not in (OK, PENDING) and "otel_span_events" in result.stderr, result
    with pytest.raises(psycopg.errors.UndefinedColumn):
        db.execute("SELECT event_id FROM otel_span_events")
