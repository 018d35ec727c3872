# SPDX-License-Identifier: Apache-2.0
"""The dataset of query.py: a seed that goes through the daemon, multiplied inside PostgreSQL.

Every row has the form that the daemon gave it: the seed is sent over OTLP, its resources, operations and series are
the daemon's, and a copy of a row differs in times, trace and span ids only (in points: times and values). Indexes of
live partitions are there while rows come in; those of partitions of the past are built by the daemon's own janitor.
The whole is kept in a folder, and taken up where it was left.
"""

from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import sys
import time

import grpc
import psycopg

from bench_world import conninfo_of
from exports import export, requests
from fleet import Fleet
from support.daemon import Daemon, free_port, run
from support.waiting import eventually
from telemetry import resources

DAY_NS = 86_400_000_000_000
DAYS = 7
FULL = {"spans": 10_000_000, "logs": 10_000_000, "points": 20_000_000}
SEED_COUNT = 100_000
SERIES_PER_SERVICE = 10
TABLES = {"spans": "otel_spans_fact", "logs": "otel_logs_fact", "number": "otel_metrics_data_points_number",
          "histogram": "otel_metrics_data_points_histogram"}
TIMES = {"spans": "start_time_unix_nano", "logs": "time_unix_nano", "number": "time_unix_nano",
         "histogram": "time_unix_nano"}
FIGURE_TABLES = ("otel_service_figures", "otel_service_figure_minutes", "otel_service_hour_figures",
                 "otel_service_figure_hours", "otel_service_minute_edges", "otel_service_edge_minutes",
                 "otel_service_hour_edges", "otel_service_edge_hours")
# What a copy differs in: column -> expression, where `copy` is its number and `shift` the nanoseconds it is later.
DIFFERENT = {
    "spans": {"start_time_unix_nano": "start_time_unix_nano + shift",
              "end_time_unix_nano": "end_time_unix_nano + shift",
              "trace_id": "md5(trace_id::text || copy)::uuid", "span_id": "hashint8extended(span_id, copy)",
              "parent_span_id": "hashint8extended(parent_span_id, copy)"},
    "logs": {"time_unix_nano": "time_unix_nano + shift", "observed_time_unix_nano": "observed_time_unix_nano + shift",
             "log_id": "log_id + (copy << 40)", "trace_id": "md5(trace_id::text || copy)::uuid",
             "span_id": "hashint8extended(span_id, copy)"},
    # Sums go on from their start; gauges wander.
    "number": {"time_unix_nano": "time_unix_nano + shift", "value_int": """
        CASE WHEN start_time_unix_nano IS NULL THEN abs(hashint8extended(series_id, copy) % 1000)
            ELSE value_int * (copy + 1) END"""},
    "histogram": {"time_unix_nano": "time_unix_nano + shift", "start_time_unix_nano": "start_time_unix_nano + shift"},
}
ROWS_PER_STEP = 200_000
# A machine that is busy takes its time for initdb and for recovery.
START_SECONDS = 600


@dataclass
class Size:
    """How much of the full dataset."""

    scale: float

    @property
    def services(self):
        return max(20, min(2000, round(2000 * self.scale * 10)))

    def total(self, kind):
        return max(2000, round(FULL[kind] * self.scale))

    def seed(self, kind):
        if kind == "points":
            return self.services * SERIES_PER_SERVICE
        return min(SEED_COUNT, self.total(kind))

    def copies(self, kind):
        return max(1, round(self.total(kind) / self.seed(kind)))


class Dataset:
    """A folder with a PostgreSQL of its own, and the telemetry of the seven days before it was made."""

    def __init__(self, folder, scale, binary):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.binary = binary
        self.size = Size(scale)
        self.facts = {}

    @property
    def notes(self):
        return self.folder / "dataset.json"

    def prepare(self):
        """Makes what is missing; what is there of another scale is thrown away."""
        if self.notes.exists():
            self.facts = json.loads(self.notes.read_text())
        if self.facts.get("scale") != self.size.scale or not self.facts.get("is_seeded"):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            os.chmod(self.folder, 0o755)
            end_ns = time.time_ns() // 10**9 * 10**9
            self.facts = {"scale": self.size.scale, "begin_ns": end_ns - DAYS * DAY_NS, "end_ns": end_ns}
            with self.daemon() as daemon:
                self.sow(daemon)
            self.note(is_seeded=True)
        if not self.facts.get("is_complete"):
            # Late indexes are late: none while rows come in.
            with self.daemon(partitions__close_after="3660d"), self.connect() as db:
                self.make_partitions()
                self.multiply(db)
            # Anew: the janitor looks at once when a daemon starts.
            with self.daemon(), self.connect() as db:
                self.wait_until_closed(db)
                self.tidy(db)
                self.note(counts=self.counts(db))
            self.note(is_complete=True)
        if not self.facts.get("has_figures"):
            with self.daemon(), self.connect() as db:
                self.wait_for_figures(db)
            self.note(has_figures=True)
        return self.facts

    def note(self, **facts):
        self.facts |= facts
        self.notes.write_text(json.dumps(self.facts, indent=1))

    def daemon(self, **settings):
        return RunningDaemon(self.binary, self.state, self.folder, settings)

    def connect(self):
        return psycopg.connect(conninfo_of(self.state), autocommit=True)

    # Seed

    def sow(self, daemon):
        """Sends the seed: the first slice of the week, and one point of each series."""
        count = self.size.seed("spans")
        slice_ns = DAYS * DAY_NS // self.size.copies("spans")
        say(f"seed: {count:,} spans and log records of {self.size.services:,} services")
        fleet = Fleet(1, self.facts["begin_ns"], 2 * slice_ns // count, self.size.services)
        pods = resources(fleet.resource_count)
        with grpc.insecure_channel(daemon.grpc) as channel:
            export(channel, "traces", requests("spans", list(fleet.spans(count)), pods))
            fleet.now_ns = self.facts["begin_ns"]
            export(channel, "logs", requests("logs", list(fleet.logs(count)), pods))
            fleet.now_ns = self.facts["begin_ns"]
            export(channel, "metrics", requests("metrics", list(fleet.points()), pods))
        with self.connect() as db:
            db.execute("CREATE SCHEMA bench")
            for name, table in TABLES.items():
                db.execute(f"CREATE TABLE bench.{name} AS SELECT * FROM {table} ORDER BY {TIMES[name]}")
                db.execute(f"ANALYZE bench.{name}")
            db.execute("CREATE TABLE bench.progress (name text PRIMARY KEY, copies bigint NOT NULL)")
            db.execute("INSERT INTO bench.progress SELECT unnest(%s::text[]), 1", [list(TABLES)])

    # Copies

    def make_partitions(self):
        result = run(self.binary, "partitions", "ensure", "--past", f"{DAYS + 1}d",
                     environment={"STARLING_DATABASE_URL": conninfo_of(self.state)})
        assert result.returncode == 0, result.stderr

    def multiply(self, db):
        for name in TABLES:
            kind = name if name in FULL else "points"
            copies = self.size.copies(kind)
            seed, = db.execute(f"SELECT count(*) FROM bench.{name}").fetchone()
            if not seed:
                continue
            step = max(1, ROWS_PER_STEP // seed)
            done, = db.execute("SELECT copies FROM bench.progress WHERE name = %s", [name]).fetchone()
            while done < copies:
                upto = min(copies, done + step)
                with db.transaction():
                    db.execute(self.insertion(db, name, copies), {"from": done, "upto": upto - 1})
                    db.execute("UPDATE bench.progress SET copies = %s WHERE name = %s", [upto, name])
                done = upto
                say(f"{name}: {done * seed:,} of {copies * seed:,}")

    def insertion(self, db, name, copies):
        columns = [column for column, in db.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum", [f"bench.{name}"])]
        values = [DIFFERENT[name].get(column, f'"{column}"') for column in columns]
        names = ", ".join(f'"{column}"' for column in columns)
        return (f"INSERT INTO {TABLES[name]} ({names}) SELECT {', '.join(values).replace('%', '%%')} "
                f"FROM (SELECT copy, copy * {DAYS * DAY_NS // copies} AS shift "
                f"FROM generate_series(%(from)s::bigint, %(upto)s::bigint) AS copy) AS copies CROSS JOIN bench.{name} "
                "ORDER BY copy")

    # As it would be after a week

    def wait_until_closed(self, db):
        """For the janitor to build the indexes of every partition of the past."""
        open_partitions = """
            SELECT count(*) FROM grafana.partitions
            WHERE until_unix_nano < otel_unix_nano(now() - interval '2 hours') AND NOT EXISTS (
                SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
                WHERE indrelid = (SELECT oid FROM pg_class WHERE relname = partition AND relispartition)
                    AND indisvalid AND amname = CASE WHEN signal = 'metrics' THEN 'brin' ELSE 'gin' END)"""
        say(f"indexes of {db.execute(open_partitions).fetchone()[0]} partitions of the past")
        eventually(lambda: db.execute(open_partitions).fetchone() == (0,), "the janitor to close partitions", 7200)

    def wait_for_figures(self, db):
        """For the janitor to add up every hour of the week; the last one is due when it has been over for a while."""
        missing = """
            SELECT count(*) FROM generate_series(date_trunc('hour', otel_time(%s), 'UTC'),
                least(otel_time(%s), now() - interval '75 minutes'), interval '1 hour') AS hour
            WHERE NOT EXISTS (SELECT FROM otel_service_figure_hours AS known WHERE known.hour = hour.hour)"""
        week = [self.facts["begin_ns"], self.facts["end_ns"]]
        say(f"figures of services: {db.execute(missing, week).fetchone()[0]} hours")
        eventually(lambda: db.execute(missing, week).fetchone() == (0,), "the janitor to make figures", 7200)
        # The map looks back a day; of what it has, every whole hour.
        missing = """
            SELECT count(*) FROM (
                SELECT date_trunc('hour', minute, 'UTC') AS hour FROM otel_service_edge_minutes
                WHERE minute < now() - interval '75 minutes' GROUP BY hour HAVING count(*) = 60) AS whole
            WHERE NOT EXISTS (SELECT FROM otel_service_edge_hours AS known WHERE known.hour = whole.hour)"""
        say(f"the service map: {db.execute(missing).fetchone()[0]} hours")
        eventually(lambda: db.execute(missing).fetchone() == (0,), "the janitor to add up the service map", 7200)
        for table in (*FIGURE_TABLES, "otel_service_edges_dim"):
            db.execute(f"VACUUM (ANALYZE) {table}")

    def tidy(self, db):
        """What autovacuum does to tables that only grow, at once."""
        leaves = [leaf for leaf, in db.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = ANY (%s::regclass[]) AND relkind = 'r' ORDER BY 1", [list(TABLES.values())])]
        for leaf in leaves:
            db.execute(f"VACUUM (ANALYZE) {leaf}")
        for table, in db.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND NOT relispartition "
                                 "AND relnamespace = 'public'::regnamespace").fetchall():
            db.execute(f"ANALYZE {table}")
        say(f"{len(leaves)} partitions vacuumed")

    def counts(self, db):
        return {name: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for name, table in TABLES.items()}

    def forget_what_came_later(self, db):
        """Takes out what was sent while a run measured, so that the next one finds the same."""
        for name, table in TABLES.items():
            # A copy reaches a little beyond the end of the week.
            db.execute(f"DELETE FROM {table} WHERE {TIMES[name]} > %s", [self.facts["end_ns"] + 600 * 10**9])
        for table in FIGURE_TABLES:
            column = "hour" if "hour" in table else "minute"
            db.execute(f"DELETE FROM {table} WHERE {column} > otel_time(%s)", [self.facts["end_ns"] + 600 * 10**9])
        self.tidy(db)


class RunningDaemon:
    """`starling up` over the folder; as a context it ends well or says how it did not."""

    def __init__(self, binary, state, folder, settings):
        self.grpc, self.api = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        sets = [part for key, value in settings.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]
        self.process = Daemon(binary, ["up", "--state-dir", str(state), *sets], {
            "STARLING_LISTEN_GRPC": self.grpc, "STARLING_LISTEN_API": self.api}, folder)

    def __enter__(self):
        self.process.start(START_SECONDS)
        return self

    def __exit__(self, *_):
        self.process.stop()


def say(what):
    print(f"{time.strftime('%T')} {what}", file=sys.stderr, flush=True)
