# SPDX-License-Identifier: Apache-2.0
"""One run of one case of bench.py, and its figures."""

from contextlib import nullcontext
import json
import resource
import subprocess
import threading
import time

from bench_cases import KINDS
from bench_machine import BudgetSampler, cpu_ns, cpu_times, forget_peak
from bench_world import BINARY
from support.daemon import clean_environment

COPY_PIECE_BYTES = 1 << 18
COPY_SECONDS_MAX = 300


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def send(world, case, options, seed):
    """`starling send` against a daemon; every item has to be acknowledged."""
    daemon = world.daemons[case.daemon]
    pid = daemon.process.pid
    count = case.item_count(options)
    if case.rate:
        # Latency at a rate is of that rate, and not of the full load before it.
        world.settle()
    sampler = BudgetSampler(world.api) if case.is_asked else nullcontext()
    forget_peak(pid)
    before = cpu_times([pid]), cpu_times(world.server_pids()), children_seconds()
    with sampler:
        output = subprocess.run(
            [BINARY, "send", *case.send_arguments(options), "--endpoint", world.endpoints[case.daemon],
             "--seed", str(seed), "--json"],
            env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True).stdout
    report = json.loads(output)
    assert report["acknowledged"] == count, report
    after = cpu_times([pid]), cpu_times(world.server_pids()), children_seconds()
    figures = {
        "items_per_second": report["items_per_second"],
        "daemon_us_per_item": cpu_ns(before[0], after[0]) / 1e3 / count,
        "database_us_per_item": cpu_ns(before[1], after[1]) / 1e3 / count,
        "load_us_per_item": (after[2] - before[2]) * 1e6 / count,
        **{f"ack_{name}_ms": report[f"ack_{name}_ns"] / 1e6 for name in ("p50", "p99", "p999", "max")},
        "retries": report["retries"],
        "resident_peak_bytes": daemon.resident_peak_bytes(),
    }
    if case.is_asked:
        return {"resident_peak_bytes": figures["resident_peak_bytes"], "budget_peak_bytes": sampler.peak_bytes}
    return figures


class RowsInMemory:
    """Rows of a fact table as COPY BINARY has them."""

    def __init__(self, world, table, count):
        with world.connect() as db:
            with db.cursor().copy(f"COPY (SELECT * FROM {table} LIMIT {count}) TO STDOUT (FORMAT binary)") as copy:
                self.data = b"".join(copy)
            query = f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {count}) AS rows"
            self.count = db.execute(query).fetchone()[0]
        assert self.count, f"no rows in {table} to copy: run the cases that store some before the ceiling"


def raw_copy(world, case, rows):
    """The same rows into the same table by as many connections, each in one transaction."""
    table = KINDS[case.kind][1]
    barrier = threading.Barrier(case.connections + 1, timeout=COPY_SECONDS_MAX)

    def load():
        with world.connect() as db:
            barrier.wait()
            with db.transaction(), db.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
                for offset in range(0, len(rows.data), COPY_PIECE_BYTES):
                    copy.write(rows.data[offset:offset + COPY_PIECE_BYTES])
            barrier.wait()
            barrier.wait()  # alive until its CPU time is read

    threads = [threading.Thread(target=load) for _ in range(case.connections)]
    for thread in threads:
        thread.start()
    barrier.wait()
    started, before = time.monotonic(), cpu_times(world.server_pids())
    barrier.wait()
    seconds, after = time.monotonic() - started, cpu_times(world.server_pids())
    barrier.wait()
    for thread in threads:
        thread.join()
    count = rows.count * case.connections
    return {"items_per_second": count / seconds, "database_us_per_item": cpu_ns(before, after) / 1e3 / count}
