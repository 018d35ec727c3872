# SPDX-License-Identifier: Apache-2.0
"""Instructions and allocations per item of each station of the data path, by callgrind.

Unlike nanoseconds these say the same on a busy machine, so that a regression shows: with --check each figure
is held against the limits of its compiler in stations.json, with --write the limits are made from what
was measured. Nanoseconds are printed beside them and never judged."""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

BINARY = Path(".build/release/Stations")
LIMITS = Path(__file__).with_name("stations.json")
STATIONS = ["framing", "fingerprint", "scan", "decode", "rows", "copy"]
SIGNALS = ["traces", "logs", "metrics"]
ITEMS = 512
# Two runs that differ in nothing but how many requests they measure: callgrind counts calls also where it
# counts no instructions, and the difference is what the requests cost.
REQUESTS = (4, 12)
PREPARED = 16
# What a limit leaves for: another processor has other variants of memcpy and SHA-256.
ROOM_INSTRUCTIONS = 1.05
ROOM_ALLOCATIONS = 0.01
ALLOCATORS = re.compile(r"^(malloc|calloc|realloc|posix_memalign|aligned_alloc|memalign)$")


@dataclass(frozen=True)
class Figures:
    instructions: float
    allocations: float
    nanoseconds: float = 0.0


def callgrind_totals(text):
    """(instructions, calls of allocators) in an output file of callgrind."""
    names = {}
    instructions = allocations = 0
    callee = None
    for line in text.splitlines():
        if match := re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line):
            if match[2]:
                names[match[1]] = match[2].split("@", 1)[0].split("'", 1)[0]
            if line.startswith("cfn="):
                callee = names[match[1]]
        elif line.startswith("calls="):
            if ALLOCATORS.match(callee):
                allocations += int(line[6:].split()[0])
        elif line.startswith("totals:"):
            instructions = int(line.split()[1])
    return instructions, allocations


def without_debug_info(folder):
    """A copy of the binary whose symbols valgrind can read: it knows no DWARF 5."""
    copy = Path(folder) / BINARY.name
    subprocess.run(["strip", "--strip-debug", "-o", copy, BINARY], check=True)
    return copy


def run_plain(station, signal, requests):
    output = subprocess.run(
        [BINARY, station, signal, "--items", str(ITEMS), "--requests", str(requests)],
        check=True, capture_output=True, text=True).stdout
    return float(output.split()[4])


def totals(binary, station, signal, requests):
    result = binary.with_name(f"{station}-{signal}-{requests}.callgrind")
    subprocess.run(
        ["valgrind", "--quiet", "--tool=callgrind", "--collect-atstart=no",
         "--toggle-collect=stations_measured", f"--callgrind-out-file={result}",
         binary, station, signal, "--items", str(ITEMS), "--requests", str(requests),
         "--prepared", str(PREPARED)],
        check=True, capture_output=True, text=True, env={**os.environ, "LD_BIND_NOW": "1", "SWIFT_DETERMINISTIC_HASHING": "1"})
    return callgrind_totals(result.read_text())


def measure(binary, station, signal):
    few, many = (totals(binary, station, signal, requests) for requests in REQUESTS)
    if many[0] <= few[0]:
        raise RuntimeError(f"{station} {signal}: callgrind counted nothing")
    count = ITEMS * (REQUESTS[1] - REQUESTS[0])
    return Figures((many[0] - few[0]) / count, (many[1] - few[1]) / count)


def measure_all(jobs):
    cases = [(station, signal) for station in STATIONS for signal in SIGNALS]
    with tempfile.TemporaryDirectory() as folder:
        binary = without_debug_info(folder)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            counted = list(pool.map(lambda case: measure(binary, *case), cases))
    # One after the other: these have the machine to themselves.
    return {
        " ".join(case): Figures(figures.instructions, figures.allocations, run_plain(*case, 200))
        for case, figures in zip(cases, counted)
    }


def compiler():
    """What the limits depend on: the version of Swift and the processor's kind."""
    text = subprocess.run(["swift", "--version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"Swift version (\S+)", text)[1]
    return f"{version} {os.uname().machine}"


def limits_of(measured):
    return {
        name: {"instructions": round(figures.instructions * ROOM_INSTRUCTIONS, 1),
               "allocations": round(figures.allocations + ROOM_ALLOCATIONS, 4)}
        for name, figures in measured.items()
    }


def violations(measured, limits):
    """One line for each figure above its limit, and for each without one."""
    found = []
    for name, figures in measured.items():
        if name not in limits:
            found.append(f"{name}: no limit; run stations.py --write")
            continue
        for unit, limit in limits[name].items():
            value = getattr(figures, unit)
            if value > limit:
                found.append(f"{name}: {value:.4g} {unit} per item, above the limit of {limit:g}")
    return found


def table(measured):
    lines = [f"{'station':<22}{'instructions':>14}{'allocations':>14}{'ns':>10}   (per item)"]
    for name, figures in measured.items():
        lines.append(
            f"{name:<22}{figures.instructions:>14.1f}{figures.allocations:>14.4f}{figures.nanoseconds:>10.1f}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 where a figure is above its limit")
    parser.add_argument("--write", action="store_true", help="make the limits anew from what is measured")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs under callgrind at a time")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    measured = measure_all(options.jobs)
    print(table(measured))
    if options.json:
        options.json.write_text(json.dumps({name: vars(value) for name, value in measured.items()}, indent=2))
    limits = json.loads(LIMITS.read_text()) if LIMITS.exists() else {}
    if options.write:
        limits[compiler()] = limits_of(measured)
        LIMITS.write_text(json.dumps(limits, indent=2, sort_keys=True) + "\n")
    if options.check:
        if compiler() not in limits:
            sys.exit(f"stations.json has no limits for Swift {compiler()}; run stations.py --write")
        if found := violations(measured, limits[compiler()]):
            sys.exit("\n".join(["", *found]))


if __name__ == "__main__":
    main()
