# SPDX-License-Identifier: Apache-2.0
"""Every view can be read over the most awkward data that the tables may hold."""

import re

import pytest

from conftest import Export
from support import full
from support.otlp import SIGNALS


@pytest.fixture(scope="module")
def filled(starling, database):
    """A database that holds one of everything, extremes included."""
    with starling.channel() as channel:
        for signal in SIGNALS:
            assert Export(channel)(full.FULL[signal]()).SerializeToString() == b""
    with database.connect() as connection:
        yield connection


def test_every_view_can_be_read(filled):
    views = [name for name, in filled.execute("SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1")]
    assert views
    empty = [view for view in views if not filled.execute(f'SELECT * FROM "{view}"').fetchall()]
    # These show promoted attributes only, and there may be none.
    assert all(re.search("_attrs_(string|int|double|bool|bytes)$", view) for view in empty), empty


def test_every_table_and_view_says_what_it_is(filled):
    silent = filled.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') "
        "AND NOT relispartition AND obj_description(oid, 'pg_class') IS NULL ORDER BY 1").fetchall()
    assert silent == []
