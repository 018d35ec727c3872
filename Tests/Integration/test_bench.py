# SPDX-License-Identifier: Apache-2.0
"""`make bench` works: few items, every step, no opinion about speed."""

import json
import subprocess
import sys

from conftest import BINARY, ROOT
from support.daemon import clean_environment

FIGURES = {"items_per_second", "daemon_us_per_item", "database_us_per_item", "load_us_per_item", "ack_p50_ms",
           "ack_p99_ms", "ack_p999_ms", "resident_peak_bytes"}


def bench(folder, *arguments):
    environment = clean_environment() | {
        "STARLING_BINARY": str(BINARY), "PYTHONPATH": str(ROOT / "Tests/Integration")}
    return subprocess.run([sys.executable, ROOT / "Tests/Benchmarks/bench.py", *arguments], env=environment, cwd=ROOT,
                          capture_output=True, text=True, timeout=600)


def test_a_small_run(tmp_path):
    output = tmp_path / "report.json"
    result = bench(tmp_path, "--rounds", "1", "--count", "1000", "--open-seconds", "0.2", "--skip-stations",
                   "--groups", "end to end, ceiling, memory, open loop", "--output", output)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(output.read_text())
    assert report["commit"] and report["machine"]["cores"] and report["versions"]["postgresql"]
    for name, case in report["cases"].items():
        if case["group"] == "memory":
            assert 0 < case["figures"]["budget_peak_bytes"]["min"] < case["figures"]["resident_peak_bytes"]["min"]
            continue
        if case["group"] != "ceiling":
            assert FIGURES <= case["figures"].keys(), name
        for figure in ("items_per_second", "database_us_per_item"):
            spread = case["figures"][figure]
            assert 0 < spread["min"] <= spread["median"] <= spread["max"], (name, figure)
    assert {"spans / raw COPY", "histogram points / raw COPY"} <= report["ratios"].keys()
    assert "raw COPY, spans, 2 conn" in result.stdout

    compared = bench(tmp_path, "--compare", output, output)
    assert compared.returncode == 0, compared.stderr
    assert "0 of " in compared.stdout


def test_an_unknown_group_is_refused(tmp_path):
    result = bench(tmp_path, "--groups", "stations")
    assert result.returncode == 2 and "there are end to end, ceiling" in result.stderr
