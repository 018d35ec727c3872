# SPDX-License-Identifier: Apache-2.0
"""Plays fault scenarios for as long as wanted, one after the other; a table and JSON at the end.

Exits with 1 when anything was lost, doubled, or wrongly answered. `make soak` calls this."""

import argparse
from dataclasses import replace
import json
import os
from pathlib import Path
import platform
import re
import secrets
import sys
import tempfile
import threading
import time

from scenarios import ALL
from stage import Stage
from support.cluster import Cluster

BINARY = Path(os.environ.get("STARLING_BINARY", ".build/debug/starling")).resolve()
UNITS = {"s": 1, "m": 60, "h": 3600}
# Resident memory is looked at this often; the first fifth of a run counts as warm-up.
SAMPLE_SECONDS = 1.0
WARM_UP_SHARE = 0.2
COLUMNS = (("scenario", "scenario", "<24"), ("seconds", "seconds", ">8"), ("sent", "sent", ">10"),
           ("acknowledged", "acked", ">10"), ("rejected", "rejected", ">9"), ("sent_again", "re-sent", ">8"),
           ("fault_count", "faults", ">7"), ("lost", "lost", ">5"), ("doubled", "doubled", ">8"),
           ("other", "other", ">6"), ("ack_seconds_max", "ack max s", ">10"), ("resident_peak_mib", "peak MiB", ">9"),
           ("resident_spread_percent", "spread %", ">9"))


def main():
    arguments = parse()
    names = list(ALL) if arguments.scenario == ["all"] else arguments.scenario
    print(f"seed {arguments.seed}, {arguments.duration:.0f} s each: {', '.join(names)}", file=sys.stderr)
    results = [soak(ALL[name], arguments) for name in names]
    print_table(results)
    report = {"seed": arguments.seed, "duration_seconds": arguments.duration, "machine": machine(),
              "results": results}
    Path(arguments.json).parent.mkdir(parents=True, exist_ok=True)
    Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n")
    print(f"written to {arguments.json}", file=sys.stderr)
    sys.exit(1 if any(result["violations"] or "error" in result for result in results) else 0)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", nargs="+", default=["all"], choices=["all", *ALL], metavar="NAME",
                        help=f"all, or some of: {', '.join(ALL)}")
    parser.add_argument("--duration", type=duration, default="60s", help="of each scenario: 30s, 10m, 1h")
    parser.add_argument("--rate", type=float, help="items per second of all clients together")
    parser.add_argument("--seed", default=os.environ.get("STARLING_FAULT_SEED") or secrets.token_hex(4))
    parser.add_argument("--json", default=".build/soak.json", help="where the figures go")
    return parser.parse_args()


def duration(text):
    match = re.fullmatch(r"(\d+)([smh])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration like 30s, 10m or 1h")
    return float(match[1]) * UNITS[match[2]]


def machine():
    return {"processors": os.cpu_count(), "system": platform.platform(), "load_average_at_end": os.getloadavg()}


def soak(scenario, arguments):
    """The summary of one scenario, on a cluster of its own."""
    if arguments.rate:
        scenario = replace(scenario, habits=replace(scenario.habits, rate=arguments.rate))
    cluster = Cluster()
    try:
        cluster.start()
        with tempfile.TemporaryDirectory(prefix="starling-soak-") as folder:
            stage = Stage(scenario, cluster, BINARY, folder, arguments.seed, seconds=arguments.duration)
            with Watch(stage) as watch:
                try:
                    result = stage.run()
                    summary = result.summary()
                    if result.violations:
                        print(f"\n{scenario.name}: {result.balance}\n{stage.output()}", file=sys.stderr)
                except Exception as error:
                    print(f"\n{scenario.name}: {error!r}\n{stage.output()}", file=sys.stderr)
                    summary = {"scenario": scenario.name, "error": repr(error), "violations": {"error": 1}}
            return summary | watch.summary()
    finally:
        cluster.remove()


class Watch:
    """Samples resident memory and shows progress, in a thread, while a scenario is played."""

    def __init__(self, stage):
        self.stage = stage
        self.samples = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if sys.stderr.isatty():
            print(file=sys.stderr)

    def run(self):
        last_line = 0.0
        while not self.over.wait(SAMPLE_SECONDS):
            self.sample()
            # A terminal has one line that changes, a log one per half minute.
            if sys.stderr.isatty():
                print("\r" + self.line() + "\x1b[K", end="", file=sys.stderr, flush=True)
            elif time.monotonic() - last_line >= 30:
                last_line = time.monotonic()
                print(self.line(), file=sys.stderr, flush=True)

    def sample(self):
        for index, daemon in enumerate(self.stage.daemons):
            try:
                self.samples.append((time.monotonic(), index, daemon.process.pid, daemon.resident_bytes()))
            except (AttributeError, AssertionError, FileNotFoundError, ProcessLookupError):
                pass  # between two lives

    def line(self):
        stage, tally = self.stage, self.stage.load and self.stage.load.tally
        faults = sum(stage.faults.values())
        counts = f"{tally.sent_count} sent, {tally.acknowledged_count} acknowledged" if tally else "starting"
        resident = f"{self.samples[-1][3] / (1 << 20):.0f} MiB" if self.samples else "-"
        return f"{stage.scenario.name} {time.monotonic() - stage.began:.0f} s: {counts}, {faults} faults, {resident}"

    def summary(self):
        """How far resident memory of one life of a daemon strays from its middle, after the warm-up.

        Only for a daemon that lives through all of it: another one has a warm-up of its own.
        """
        if len({pid for _, _, pid, _ in self.samples}) != 1:
            return {}
        start = self.samples[0][0] + (self.samples[-1][0] - self.samples[0][0]) * WARM_UP_SHARE
        steady = sorted(size for at, _, _, size in self.samples if at >= start)
        if not steady:
            return {}
        middle = steady[len(steady) // 2]
        spread = max(steady[-1] - middle, middle - steady[0])
        return {"resident_steady_mib": round(middle / (1 << 20), 1),
                "resident_spread_percent": round(100 * spread / middle, 1)}


def print_table(results):
    print("".join(f"{title:{form}}" for _, title, form in COLUMNS))
    for result in results:
        counted = {"lost", "doubled", "miscounted"}
        row = result | {
            "fault_count": sum(result.get("faults", {}).values()),
            "other": sum(count for kind, count in result["violations"].items() if kind not in counted)}
        print("".join(f"{row.get(name, '-'):{form}}" for name, _, form in COLUMNS))


if __name__ == "__main__":
    main()
