# SPDX-License-Identifier: Apache-2.0
"""Every table and view of the published design exists under its name, with its columns."""

import pytest

from conftest import ROOT
from support.promised_names import MOVED, TABLES, VIEWS


def columns(connection, name):
    return {column for column, in connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [name])}


def test_the_list_is_whole():
    assert len(TABLES) == 78 and len(VIEWS) == 5


@pytest.fixture(scope="module")
def schema(database):
    with database.connect() as connection:
        yield connection


@pytest.mark.parametrize("name", TABLES)
def test_table_can_be_read_by_its_columns(schema, name):
    view, moved = MOVED.get(name, (None, []))
    wanted = set(TABLES[name])
    assert set(moved) <= wanted
    found = columns(schema, name)
    assert wanted - found == set(moved)
    assert set(moved) <= columns(schema, view) if view else not moved
    schema.execute(f"SELECT {', '.join(sorted(wanted & found))} FROM {name} LIMIT 1")


@pytest.mark.parametrize("name", VIEWS)
def test_view_begins_with_its_columns(schema, name):
    found = [column for column, in schema.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 ORDER BY attnum", [name])]
    assert set(VIEWS[name]) <= set(found)


def test_moved_columns_are_written_down():
    page = (ROOT / "docs" / "schema.md").read_text(encoding="utf-8")
    section = page[page.index("## What it corrects"):page.index("## What the indexes cost")]
    for _, moved in MOVED.values():
        assert all(f"`{column}`" in section for column in moved)


def test_dimensions_take_the_statements_of_the_design(schema):
    """Its writer notes that a resource was seen, and finds it by hash."""
    with schema.transaction(force_rollback=True):
        number, = schema.execute(
            "INSERT INTO otel_resources_dim (resource_hash, service_name, service_namespace, schema_url, first_seen, "
            "last_seen, dropped_attributes_count) VALUES (sha256('x'), 'a', 'b', NULL, now(), now(), 0) "
            "RETURNING resource_id").fetchone()
        assert schema.execute("UPDATE otel_resources_dim SET last_seen = now() WHERE resource_id = %s",
                              [number]).rowcount == 1
        assert schema.execute("SELECT resource_id FROM otel_resources_dim WHERE resource_hash = sha256('x')"
                              ).fetchall() == [(number,)]
