# SPDX-License-Identifier: Apache-2.0
"""Bytes per row of the same telemetry in three schemas, heap and indexes told apart.

    starling   this schema, loaded through the daemon
    jsonb      a fact with the same fixed columns and one jsonb with GIN for all attributes, loaded by COPY;
               jsonb_path with the smaller kind of GIN (jsonb_path_ops)
    typed      one narrow table per type of attribute, with its foreign keys and indexes, loaded by COPY

"live" is what there is while rows come in. "closed" is after maintenance: starling's late index is built, and the
GIN indexes of the others as if they had been made late as well. Resources and other dimensions count. Starts a
PostgreSQL and a daemon of its own, in a temporary folder. Prints tables and writes JSON."""

import argparse
import json
import os
from pathlib import Path
import platform
import sys
import tempfile
import time

import grpc

from exports import SENT, export, requests
import schemas
from support.cluster import Cluster
from support.daemon import Daemon, free_port, run
from telemetry import Telemetry, resources

BINARY = Path(os.environ.get("STARLING_BINARY", ".build/release/starling")).resolve()
FACTS = {"spans": ["otel_spans_fact"], "logs": ["otel_logs_fact"], "points": ["otel_metrics_data_points_number"]}
DIMENSIONS = ["otel_operations_dim"]
SERIES = ["otel_metrics_dim", "otel_metric_series_dim",
          *(f"otel_metric_series_attrs_{kind}" for kind in ("string", "int", "double", "bool", "bytes", "other"))]
OTHERS = ("jsonb", "jsonb_path", "typed")
HOUR_NS = 3_600_000_000_000


# Loading

def load_through_daemon(url, telemetry, folder):
    """Items per second, by kind; what the client needs to make the messages counts."""
    port = free_port()
    daemon = Daemon(BINARY, ["serve"], {"STARLING_DATABASE_URL": url, "STARLING_LISTEN_GRPC": f"127.0.0.1:{port}"},
                    folder).start()
    rates = {}
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            for kind, items in telemetry.items():
                started = time.monotonic()
                export(channel, SENT[kind].signal, requests(kind, items, resources()))
                rates[kind] = len(items) / (time.monotonic() - started)
        assert daemon.stop() == 0, daemon.output()
    finally:
        daemon.kill()
    return rates


# Sizes

SIZES = """
    SELECT sum(pg_relation_size(oid)), sum(CASE WHEN reltoastrelid = 0 THEN 0
            ELSE pg_total_relation_size(reltoastrelid) END), sum(pg_indexes_size(oid))
    FROM pg_class WHERE relkind = 'r' AND (oid::regclass::text = ANY (%(names)s) OR oid IN (
        SELECT inhrelid FROM pg_inherits WHERE inhparent::regclass::text = ANY (%(names)s)))"""


def sizes(db, names, count):
    heap, toast, indexes = (float(size or 0) / count for size in db.execute(SIZES, {"names": names}).fetchone())
    return {"heap": heap, "toast": toast, "indexes": indexes, "total": heap + toast + indexes}


def shared_names(db):
    return [name for name, in db.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(otel_(resource|scope)|attribute_keys)'")]


def close_partitions(db):
    """What the janitor does to a partition of the past."""
    attributes = "gin (attributes jsonb_path_ops) WITH (fastupdate = off)"
    for fact, index in (("otel_spans_fact", attributes), ("otel_logs_fact", attributes),
                        ("otel_metrics_data_points_number", "brin (time_unix_nano)")):
        for leaf, in db.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
                                [fact]).fetchall():
            db.execute(f"CREATE INDEX ON {leaf} USING {index}")


def measure_starling(db, counts, state):
    return {kind: {state: sizes(db, FACTS[kind] + shared_names(db) + (DIMENSIONS if kind == "spans" else [])
                                + (SERIES if kind == "points" else []), count)} for kind, count in counts.items()}


# Where the bytes of a span are

def accounting(db, count):
    """Bytes per row of each column of otel_spans_fact, and what is not in a column."""
    columns = [name for name, in db.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'otel_spans_fact'::regclass AND attnum > 0 ORDER BY attnum")]
    parts = ", ".join(f'coalesce(sum(pg_column_size("{name}")), 0)' for name in columns)
    values = {name: float(total) / count for name, total in zip(
        columns, db.execute(f"SELECT {parts} FROM otel_spans_fact").fetchone()) if total}
    row, = db.execute("SELECT avg(pg_column_size(fact.*)) FROM otel_spans_fact AS fact").fetchone()
    heap = sizes(db, ["otel_spans_fact"], count)["heap"]
    header = (23 + (len(columns) + 7) // 8 + 7) // 8 * 8  # with the bitmap of NULLs, aligned
    return {"columns": values, "column count": len(columns), "header": header, "line pointer": 4,
            "alignment": float(row) - header - sum(values.values()), "page": heap - float(row) - 4}


def dictionary(db, count):
    """The same spans with smallint ids in place of promoted strings of few values: bytes per row."""
    columns = db.execute(
        "SELECT column_name FROM otel_attribute_columns WHERE signal = 'spans' AND type = 'string'").fetchall()
    few = []
    for name, in columns:
        distinct, = db.execute(f'SELECT count(DISTINCT "{name}") FROM otel_spans_fact').fetchone()
        if 0 < distinct <= 1000:
            few.append(name)
            db.execute(f'CREATE TABLE "dictionary_{name}" AS SELECT row_number() OVER ()::smallint AS id, value '
                       f'FROM (SELECT DISTINCT "{name}" AS value FROM otel_spans_fact WHERE "{name}" IS NOT NULL) AS v')
    rest = [name for name, in db.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'otel_spans_fact'::regclass AND attnum > 0 ORDER BY attnum")
        if name not in few]
    fixed, variable = rest[:14], rest[14:]
    order = [f'fact."{name}"' for name in fixed] + [f'"dictionary_{name}".id AS "{name}"' for name in few] + [
        f'fact."{name}"' for name in variable]
    joins = " ".join(f'LEFT JOIN "dictionary_{name}" ON "dictionary_{name}".value = fact."{name}"' for name in few)
    db.execute("SET join_collapse_limit = 1")
    db.execute(f"CREATE TABLE spans_by_dictionary AS SELECT {', '.join(order)} FROM otel_spans_fact AS fact {joins}")
    return {"columns": len(few), "heap": sizes(db, ["spans_by_dictionary"], count)["heap"],
            "dictionaries": sizes(db, [f'dictionary_{name}' for name in few], count)["total"]}


# The page

def table(figures):
    lines = ["| Rows | Schema | Heap | TOAST | Indexes, live | Total, live | Indexes, closed | Total, closed | Rows/s |",
             "|---|---|---|---|---|---|---|---|---|"]
    for kind in FACTS:
        for schema, parts in figures[kind].items():
            live, closed = parts["live"], parts["closed"]
            lines.append(f"| {kind} | {schema} | {live['heap']:.0f} | {live['toast']:.0f} | {live['indexes']:.0f} | "
                         f"**{live['total']:.0f}** | {closed['indexes']:.0f} | **{closed['total']:.0f}** | "
                         f"{parts['rows_per_second']:,.0f} |")
    return "\n".join(lines)


def saving(figures, other):
    return {kind: {state: 1 - figures[kind]["starling"][state]["total"] / figures[kind][other][state]["total"]
                   for state in ("live", "closed")} for kind in FACTS}


def measure(options, folder):
    cluster = Cluster()
    try:
        cluster.start()
        for name in ("starling", "jsonb", "jsonb_path", "typed"):
            cluster.create_database(name)
        result = run(BINARY, "migrate", environment={"STARLING_DATABASE_URL": cluster.url("starling")})
        assert result.returncode == 0, result.stderr
        maker = Telemetry(options.seed, time.time_ns() // HOUR_NS * HOUR_NS - HOUR_NS)
        telemetry = {kind: list(getattr(maker, kind)(options.count)) for kind in FACTS}
        counts = {kind: len(items) for kind, items in telemetry.items()}
        figures = {kind: {"starling": {}} for kind in FACTS}
        say("starling, through the daemon")
        rates = load_through_daemon(cluster.url("starling"), telemetry, folder)
        with cluster.connect("starling") as db:
            db.execute("VACUUM ANALYZE")
            promoted = {row for row in db.execute("SELECT signal, key, type FROM otel_attribute_columns")}
            for kind, found in measure_starling(db, counts, "live").items():
                figures[kind]["starling"] |= found | {"rows_per_second": rates[kind]}
            details = {"accounting": accounting(db, counts["spans"])}
            close_partitions(db)
            for kind, found in measure_starling(db, counts, "closed").items():
                figures[kind]["starling"] |= found
            say("dictionaries")
            details["dictionary"] = dictionary(db, counts["spans"])
        for name, schema in (
                ("jsonb", schemas.OneJSONB("jsonb_ops")), ("jsonb_path", schemas.OneJSONB("jsonb_path_ops")),
                ("typed", schemas.TypedTables(promoted))):
            with cluster.connect(name) as db:
                for kind, items in telemetry.items():
                    say(f"{name}, {kind}")
                    figures[kind][name] = schema.measure(db, kind, items, sizes)
        return figures, details
    finally:
        cluster.remove()


def say(what):
    print(f"{time.strftime('%T')} {what}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300_000, help="rows of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("bench-results/size.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="starling-size-") as folder:
        figures, details = measure(options, folder)
    print(table(figures))
    for other in OTHERS:
        for kind, part in saving(figures, other).items():
            print(f"{kind}: {part['live']:.0%} smaller than {other} live, {part['closed']:.0%} closed")
    print(json.dumps(details, indent=1))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({
        "machine": platform.platform(), "cores": os.cpu_count(), "command": " ".join(sys.argv), "count": options.count,
        "bytes_per_row": figures, "smaller_than": {other: saving(figures, other) for other in OTHERS},
        **details}, indent=1))
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
