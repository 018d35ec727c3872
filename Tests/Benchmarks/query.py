# SPDX-License-Identifier: Apache-2.0
"""Latency of the query API over a week of telemetry, while more comes in.

Makes a dataset on its first run (10 million spans, 10 million log records, 20 million points of 2,000 services; see
query_dataset.py) and keeps it in a folder, starts the daemon on it, has `starling send` write beside, and asks each
question one at a time over HTTP. Half of the ranges end where the dataset ends, the others anywhere in it. Prints a
table, says which goals are met, and writes JSON."""

import argparse
from dataclasses import dataclass
import http.client
import json
import os
from pathlib import Path
import platform
import random
import statistics
import subprocess
import sys
import time

from query_dataset import DAY_NS, DAYS, Dataset, say
from query_questions import GOALS_MS, QUESTIONS, RANGES_NS
from support.daemon import clean_environment

BINARY = Path(os.environ.get("STARLING_BINARY", ".build/release/starling")).resolve()
TIMEOUT_S = 60
# In a smaller part of the dataset an hour may well hold nothing of what is asked for.
DENSE_SCALE = 0.1


@dataclass
class World:
    """What questions are made from."""

    services: int
    trace_ids: list
    begin_ns: int
    end_ns: int


class Client:
    """One connection, kept open. An answer is (status, parsed body, seconds until its last byte)."""

    def __init__(self, address):
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)

    def ask(self, method, target, body):
        headers = {"Content-Type": "application/json"} if body else {}
        started = time.perf_counter()
        self.connection.request(method, target, body, headers)
        response = self.connection.getresponse()
        content = response.read()
        seconds = time.perf_counter() - started
        return response.status, json.loads(content), seconds


class Load:
    """`starling send` beside the questions, ended with them. `rate` 0 is none."""

    def __init__(self, endpoint, rate):
        self.process = None
        if rate:
            command = [BINARY, "send", "traces", "--endpoint", endpoint, "--rate", str(rate), "--count", str(10**9),
                       "--connections", "2", "--seed", str(time.time_ns() % 2**31)]
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command], env=clean_environment(),
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            assert self.process.poll() is None, f"starling send ended with {self.process.returncode} amid the run"
            self.process.terminate()
            self.process.wait()


def world_of(dataset, facts):
    with dataset.connect() as db:
        ids = [trace_id.hex for trace_id, in db.execute(
            "SELECT trace_id FROM otel_spans_fact TABLESAMPLE SYSTEM (1) WHERE parent_span_id IS NULL "
            "ORDER BY random() LIMIT 500")] or [trace_id.hex for trace_id, in db.execute(
                "SELECT trace_id FROM otel_spans_fact WHERE parent_span_id IS NULL LIMIT 500")]
    return World(dataset.size.services, ids, facts["begin_ns"], facts["end_ns"])


def span_of(world, range_name, chance):
    if range_name == "none":
        return None
    width_ns = RANGES_NS[range_name]
    end_ns = world.end_ns
    if chance.random() < 0.5:
        end_ns -= chance.randrange(DAYS * DAY_NS - width_ns)
    return end_ns - width_ns, end_ns


def measure(client, world, question, range_name, options):
    """Milliseconds of each of the answers, the slowest last; or what went wrong."""
    chance = random.Random(f"{question.name} {range_name}")
    times_ms, found = [], 0
    started = time.monotonic()
    for number in range(options.warmup + options.count):
        if number > options.warmup + 5 and time.monotonic() - started > options.seconds:
            break
        request = question.ask(world, span_of(world, range_name, chance), chance)
        status, body, seconds = client.ask(*request)
        if status != 200:
            return {"error": f"{status} {body.get('type', '')}: {body.get('detail', body)}", "request": request}
        if number >= options.warmup:
            times_ms.append(seconds * 1000)
        found += bool(body[question.list_name])
    is_bare = question.expects == "some" and options.scale >= DENSE_SCALE and not found
    if is_bare or (question.expects == "none" and found):
        return {"error": f"{found} answers had {question.list_name}", "request": request}
    cuts = statistics.quantiles(times_ms, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p95_ms": cuts[94], "max_ms": max(times_ms), "count": len(times_ms),
            "goal_ms": GOALS_MS[range_name], "is_met": cuts[94] < GOALS_MS[range_name]}


def show(results):
    print(f"{'':40}{'range':>8}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}{'goal':>7}")
    for result in results:
        line = f"{result['question']:40}{result['range']:>8}"
        if "error" in result:
            print(f"{line}  {result['error']}")
        else:
            print(f"{line}{result['p50_ms']:9.1f}{result['p95_ms']:9.1f}{result['max_ms']:9.1f}{result['goal_ms']:7}"
                  f"  {'met' if result['is_met'] else 'missed'}")
    good = [result for result in results if "error" not in result]
    print(f"goals met: {sum(result['is_met'] for result in good)} of {len(results)}")


def versions(dataset):
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True,
                            text=True).stdout.strip()
    with dataset.connect() as db:
        server, = db.execute("SELECT version()").fetchone()
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return {"commit": commit, "machine": platform.platform(), "processor": model[0] if model else "",
            "cores": os.cpu_count(), "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "postgresql": server, "command": " ".join(sys.argv)}


def run(options):
    dataset = Dataset(options.folder, options.scale, BINARY)
    facts = dataset.prepare()
    if options.prepare_only:
        return None
    results = []
    with dataset.daemon() as daemon:
        world = world_of(dataset, facts)
        notes = versions(dataset)
        with Load(daemon.grpc, options.rate):
            client = Client(daemon.api)
            _, description, _ = client.ask("GET", "/openapi.json", None)
            questions = [question for question in QUESTIONS if question.path in description["paths"]]
            for question in (question for question in questions if (options.only or "") in question.name):
                for range_name in question.ranges:
                    say(f"{question.name}, {range_name}")
                    results.append({"question": question.name, "range": range_name}
                                   | measure(client, world, question, range_name, options))
        with dataset.connect() as db:
            dataset.forget_what_came_later(db)
    show(results)
    unasked = [question.name for question in QUESTIONS if question not in questions]
    for name in unasked:
        print(f"not in this version: {name}")
    return notes | {"dataset": facts, "rate_while_asking": options.rate, "results": results, "not_asked": unasked}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/starling-bench-query"), help="of the dataset")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the dataset: 0.001 to try it")
    parser.add_argument("--rate", type=int, default=10_000, help="spans per second that come in meanwhile; 0: none")
    parser.add_argument("--count", type=int, default=100, help="times that each question is asked")
    parser.add_argument("--seconds", type=float, default=60, help="for one question, if it has been asked six times")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--only", help="questions with this in their name")
    parser.add_argument("--prepare-only", action="store_true", help="make the dataset, measure nothing")
    parser.add_argument("--output", type=Path, default=Path("bench-results/query.json"))
    options = parser.parse_args()
    report = run(options)
    if report:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=1))
        print(f"written to {options.output}")
        if any("error" in result for result in report["results"]):
            sys.exit(1)


if __name__ == "__main__":
    main()
