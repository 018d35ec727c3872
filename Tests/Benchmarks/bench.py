# SPDX-License-Identifier: Apache-2.0
"""Throughput, latency, CPU and memory of the whole path, beside raw COPY of the same rows.

Starts a PostgreSQL and daemons of its own in a temporary folder, with fsync on, and runs the cases round by round,
interleaved, so that a change in the machine's speed meets all alike. Prints a table with medians, and the goals;
writes JSON. What it sends goes to this machine only. See docs/performance.md."""

import argparse
from datetime import datetime, timezone
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time

from bench_cases import KINDS, Case, Ceiling, cases
from bench_machine import facts
from bench_report import comparison, goals, ratios, spread, summary, table
from bench_runs import RowsInMemory, raw_copy, send
from bench_world import World

LATEST = Path("bench-results/latest.json")
WARM_UP_SHARE = 0.05


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(world, options, chosen):
    """Case → a dictionary of figures per round."""
    seed = 1
    for case in warm_up(chosen):
        send(world, case, options, seed := seed + 1)
    rounds = {case.name: [] for case in chosen}
    for number in range(options.rounds):
        world.clear()
        rows = {}
        for case in chosen:
            say(f"round {number + 1} of {options.rounds}: {case.group}: {case.name}")
            if isinstance(case, Ceiling):
                if case.kind not in rows:
                    rows[case.kind] = RowsInMemory(world, KINDS[case.kind][1], options.count // 2)
                figures = raw_copy(world, case, rows[case.kind])
            else:
                figures = send(world, case, options, seed := seed + 1)
            rounds[case.name].append(figures)
    return rounds


def daemons_of(chosen):
    return list(dict.fromkeys(case.daemon for case in chosen if isinstance(case, Case)))


def warm_up(chosen):
    """Each daemon has to have its connections, and to know what the cases are about."""
    return [Case("", "", kind, share=WARM_UP_SHARE, daemon=daemon)
            for daemon in daemons_of(chosen) for kind in (KINDS if daemon == "main" else ["spans"])]


def stations():
    """Instructions and allocations of each station; see stations.py."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "stations.json"
        subprocess.run([sys.executable, Path(__file__).with_name("stations.py"), "--json", result],
                       check=True, stdout=subprocess.DEVNULL)
        return json.loads(result.read_text())


def report(options):
    started, started_at = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    chosen = [case for case in cases(options) if not options.groups or case.group in options.groups]
    with tempfile.TemporaryDirectory(prefix="starling-bench-") as folder:
        os.chmod(folder, 0o755)
        with World(Path(folder), daemons_of(chosen)) as world:
            say(f"ready after {time.monotonic() - started:.0f} s")
            found = facts(world)
            rounds = measure(world, options, chosen)
    result = {
        **found, "command": " ".join(sys.argv), "started_at": started_at, "rounds": options.rounds,
        "cases": {case.name: {"group": case.group, "figures": summary(rounds[case.name]),
                              "rounds": rounds[case.name]} for case in chosen},
        "ratios": ratios(rounds), "idle_resident_bytes": spread(world.idle_bytes) if world.idle_bytes else None,
        "stations": None if options.skip_stations else stations(),
    }
    result["goals"] = goals(result)
    result["seconds"] = round(time.monotonic() - started)
    return result


def groups(text):
    known = list(dict.fromkeys(case.group for case in cases(argparse.Namespace(all=False))))
    chosen = [group.strip() for group in text.split(",")]
    for group in chosen:
        if group not in known:
            raise argparse.ArgumentTypeError(f"{group!r} is no group of cases; there are {', '.join(known)}")
    return chosen


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=250_000, help="items per case and round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--open-seconds", type=float, default=60,
                        help="for each rate of the open loop, over all rounds (default: %(default)s)")
    parser.add_argument("--all", action="store_true",
                        help="every combination of signal, connections, request size and compression")
    parser.add_argument("--groups", type=groups, help="only these groups of cases, with commas")
    parser.add_argument("--skip-stations", action="store_true", help="without callgrind")
    parser.add_argument("--output", type=Path, default=LATEST, help="default: %(default)s")
    parser.add_argument("--compare", type=Path, nargs="+", metavar="FILE",
                        help="measure nothing: say what differs between two reports; the second is --output by default")
    return parser.parse_args()


def main():
    options = arguments()
    if options.compare:
        old, new = (json.loads(path.read_text()) for path in [*options.compare, options.output][:2])
        print(comparison(old, new))
        return
    result = report(options)
    print(table(result))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1))
    print(f"written to {options.output} after {result['seconds']} s")


if __name__ == "__main__":
    main()
