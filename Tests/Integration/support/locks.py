# SPDX-License-Identifier: Apache-2.0
"""Holding the daemon's writers up inside PostgreSQL, without sleeping and without stopping processes."""

from contextlib import contextmanager

from psycopg import errors

from support.waiting import eventually

TABLES = {"traces": "otel_spans_fact", "logs": "otel_logs_fact", "metrics": "otel_metrics_data_points_number"}


@contextmanager
def blocked(database, signal="traces"):
    """While inside, no row gets into the signal's table: whoever tries waits. Yields the lock's holder."""
    with locked(database, [TABLES[signal]]) as holder:
        yield holder


@contextmanager
def locked(database, tables):
    """While inside, nobody else reads or writes the tables. Yields the lock's holder."""
    with database.connect() as holder:
        holder.autocommit = False
        eventually(lambda: is_locked(holder, tables), f"the lock of {', '.join(tables)}")
        try:
            yield holder
        finally:
            holder.rollback()


def is_locked(holder, tables):
    """Locks them all, unless that is a deadlock with the janitor, which builds indexes concurrently."""
    try:
        holder.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
    except errors.DeadlockDetected:
        holder.rollback()
        return False
    return True


# Janitor and health look at the same tables in their own time, which says nothing about requests.
WAITING = ("FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database() "
           "AND application_name NOT IN ('starling janitor', 'starling health')")


def waiting_count(database):
    """How many backends of this database wait for a lock on behalf of requests."""
    query = f"SELECT count(DISTINCT pid) {WAITING}"
    with database.connect() as observer:
        return observer.execute(query).fetchone()[0]


def wait_for_blocked(database, count=1):
    """Returns once `count` writers of the daemon wait for the lock: their requests are in flight."""
    eventually(lambda: waiting_count(database) >= count, f"{count} writers to wait for the lock")


def waiting_since(database):
    """When the statement that waits for a lock began, or None: a later value is another attempt."""
    query = f"SELECT max(query_start) {WAITING}"
    with database.connect() as observer:
        return observer.execute(query).fetchone()[0]
