# SPDX-License-Identifier: Apache-2.0
"""docs/schema.md says what the database says."""

import subprocess
import sys

from conftest import ROOT

SCRIPT = ROOT / "scripts" / "schema-docs"


def check(database):
    conninfo = database.cluster.conninfo(database.name)
    return subprocess.run([sys.executable, SCRIPT, "--check", "--database", conninfo], capture_output=True, text=True)


def test_page_is_current(database):
    result = check(database)
    assert result.returncode == 0, result.stderr


def test_difference_is_shown(database):
    with database.connect() as db:
        comment, = db.execute("SELECT obj_description('span_kinds'::regclass)").fetchone()
        try:
            db.execute("COMMENT ON TABLE span_kinds IS 'something else'")
            result = check(database)
            assert result.returncode == 1 and "+something else" in result.stderr
        finally:
            db.execute(f"COMMENT ON TABLE span_kinds IS '{comment}'")


def test_promoted_columns_are_not_part_of_the_page(database):
    """They are the operator's."""
    with database.connect() as db:
        db.execute("ALTER TABLE otel_logs_fact ADD COLUMN of_mine text")
        db.execute("INSERT INTO otel_attribute_columns (signal, key, type, column_name) "
                   "VALUES ('logs', 'of.mine', 'string', 'of_mine')")
        try:
            assert check(database).returncode == 0
        finally:
            db.execute("DELETE FROM otel_attribute_columns WHERE key = 'of.mine'")
            db.execute("ALTER TABLE otel_logs_fact DROP COLUMN of_mine")


def test_every_table_and_function_has_a_comment(database):
    with database.connect() as db:
        bare = db.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'v') "
                          "AND relnamespace = 'public'::regnamespace AND NOT relispartition "
                          "AND obj_description(oid, 'pg_class') IS NULL").fetchall()
        bare += db.execute("SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
                           "AND obj_description(oid, 'pg_proc') IS NULL").fetchall()
    assert not bare
