# SPDX-License-Identifier: Apache-2.0
"""End-to-end throughput: `starling send` against `starling up`, beside raw COPY of the same rows.

Starts a PostgreSQL and a daemon of its own in a temporary folder, with fsync on, and runs the scenarios
round by round, interleaved, so that a change in the machine's speed meets all alike. Prints a table and
writes JSON. What it sends goes to this machine only."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from support.daemon import Daemon, clean_environment, free_port

BINARY = Path(".build/release/starling").resolve()
TABLES = {"traces": "otel_spans_fact", "logs": "otel_logs_fact"}
SCENARIOS = [
    # name, signal, connections, items per request, compression, share of --count
    ("traces 1 conn", "traces", 1, 512, "none", 0.5),
    ("traces 4 conn", "traces", 4, 512, "none", 1.0),
    ("traces 4 conn gzip", "traces", 4, 512, "gzip", 1.0),
    ("traces 4 conn 8192", "traces", 4, 8192, "none", 1.0),
    ("logs 4 conn", "logs", 4, 512, "none", 1.0),
    ("metrics 4 conn", "metrics", 4, 512, "none", 1.0),
    ("traces 1 item each", "traces", 4, 1, "none", 0.02),
]
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system time of processes that are alive."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def postgres_pids(postmaster):
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def postmaster_pid(state):
    return int(next(state.rglob("postmaster.pid")).read_text().split()[0])


def conninfo(state):
    socket = next(path for path in state.rglob(".s.PGSQL.*") if not path.name.endswith(".lock"))
    return f"host={socket.parent} port={socket.name.rsplit('.', 1)[1]} dbname=starling user=starling"


def send(endpoint, scenario, count, seed, postmaster, daemon_pid):
    _, signal, connections, batch, compression, share = scenario
    count = max(batch, int(count * share))
    daemon_before, database_before = cpu_seconds([daemon_pid]), cpu_seconds(postgres_pids(postmaster))
    output = subprocess.run(
        [BINARY, "send", signal, "--endpoint", endpoint, "--count", str(count), "--batch", str(batch),
         "--connections", str(connections), "--compression", compression, "--seed", str(seed), "--json"],
        env=clean_environment(), capture_output=True, text=True, check=True).stdout
    report = json.loads(output)
    assert report["acknowledged"] == count, report
    return {
        "items_per_second": report["items_per_second"],
        "daemon_us_per_item": (cpu_seconds([daemon_pid]) - daemon_before) * 1e6 / count,
        "database_us_per_item": (cpu_seconds(postgres_pids(postmaster)) - database_before) * 1e6 / count,
        "ack_p50_ms": report["ack_p50_ns"] / 1e6,
        "ack_p99_ms": report["ack_p99_ns"] / 1e6,
    }


def raw_copy(dsn, table, connections, rows):
    """Rows per second of COPY BINARY from memory into the same table, and the rows taken out again."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        with connection.cursor().copy(
                f"COPY (SELECT * FROM {table} LIMIT {rows}) TO STDOUT (FORMAT binary)") as copy:
            data = b"".join(copy)
        rows = min(rows, connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {rows}) t")
                   .fetchone()[0])
    barrier = threading.Barrier(connections + 1)

    def load():
        with psycopg.connect(dsn, autocommit=True) as connection:
            barrier.wait()
            with connection.transaction():
                with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
                    for offset in range(0, len(data), 1 << 18):
                        copy.write(data[offset:offset + (1 << 18)])

    threads = [threading.Thread(target=load) for _ in range(connections)]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.monotonic()
    for thread in threads:
        thread.join()
    return {"items_per_second": rows * connections / (time.monotonic() - started)}


def clear(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relkind = 'p'").fetchone()[0]
        connection.execute(f"TRUNCATE {tables}")
        connection.execute("CHECKPOINT")


def measure(options, folder):
    state = folder / "state"
    endpoint = f"127.0.0.1:{free_port()}"
    daemon = Daemon(BINARY, ["up", "--state-dir", str(state)], {"STARLING_LISTEN_GRPC": endpoint}, folder)
    daemon.start()
    try:
        postmaster, dsn = postmaster_pid(state), conninfo(state)
        results = {name: [] for name, *_ in SCENARIOS}
        results |= {f"raw COPY {signal}, 2 conn": [] for signal in TABLES}
        seed = 1
        for round_number in range(options.rounds):
            for scenario in SCENARIOS:
                print(f"round {round_number + 1} of {options.rounds}: {scenario[0]}", file=sys.stderr)
                seed += 1
                results[scenario[0]].append(
                    send(endpoint, scenario, options.count, seed, postmaster, daemon.process.pid))
            for signal, table in TABLES.items():
                results[f"raw COPY {signal}, 2 conn"].append(
                    raw_copy(dsn, table, 2, options.count // 2))
            clear(dsn)
        peak = daemon.resident_peak_bytes()
    finally:
        daemon.stop()
    return results, peak


def summary(rounds):
    return {key: {"median": statistics.median(r[key] for r in rounds), "min": min(r[key] for r in rounds),
                  "max": max(r[key] for r in rounds)} for key in rounds[0]}


def show(results, peak):
    print(f"{'':26}{'items/s':>10}{'min':>10}{'max':>10}{'daemon us':>11}{'database us':>13}"
          f"{'p50 ms':>9}{'p99 ms':>9}")
    for name, figures in results.items():
        rate = figures["items_per_second"]
        line = f"{name:26}{rate['median']:10.0f}{rate['min']:10.0f}{rate['max']:10.0f}"
        if "daemon_us_per_item" in figures:
            line += (f"{figures['daemon_us_per_item']['median']:11.2f}"
                     f"{figures['database_us_per_item']['median']:13.2f}"
                     f"{figures['ack_p50_ms']['median']:9.1f}{figures['ack_p99_ms']['median']:9.1f}")
        print(line)
    ratio = (results["traces 4 conn"]["items_per_second"]["median"]
             / results["raw COPY traces, 2 conn"]["items_per_second"]["median"])
    print(f"traces 4 conn / raw COPY: {ratio:.2f}; peak resident memory of the daemon: {peak / 2**20:.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400_000, help="items per scenario and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("bench-results/latest.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="starling-bench-") as folder:
        os.chmod(folder, 0o755)
        rounds, peak = measure(options, Path(folder))
    results = {name: summary(figures) for name, figures in rounds.items()}
    show(results, peak)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    options.output.write_text(json.dumps({
        "commit": commit, "machine": platform.platform(), "cores": os.cpu_count(),
        "command": " ".join(sys.argv), "daemon_peak_resident_bytes": peak, "results": results}, indent=1))
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
