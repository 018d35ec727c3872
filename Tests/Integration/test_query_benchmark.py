# SPDX-License-Identifier: Apache-2.0
"""`make bench-query` works: a dataset of a thousandth, every question, no opinion about times."""

import json
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile

import pytest

from conftest import BINARY, ROOT
from support.daemon import clean_environment

SCALE = "0.001"


def bench(folder, *arguments):
    environment = clean_environment() | {
        "STARLING_BINARY": str(BINARY), "PYTHONPATH": str(ROOT / "Tests/Integration")}
    return subprocess.run(
        [sys.executable, ROOT / "Tests/Benchmarks/query.py", "--folder", folder / "dataset", "--scale", SCALE,
         "--rate", "500", "--count", "3", "--warmup", "1", "--output", folder / "report.json", *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def folder():
    """Short, and one that PostgreSQL's account may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="starling-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_every_question_is_answered(folder):
    result = bench(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((folder / "report.json").read_text())
    assert report["dataset"]["counts"] == {"spans": 10_000, "logs": 10_000, "number": 16_000, "histogram": 4_000}
    assert {"commit", "machine", "cores", "memory_bytes", "postgresql", "command"} <= report.keys()
    for answer in report["results"]:
        assert answer["count"] == 3 and 0 < answer["p50_ms"] <= answer["p95_ms"] <= answer["max_ms"], answer
        assert answer["is_met"] == (answer["p95_ms"] < answer["goal_ms"])
    assert f"of {len(report['results'])}\n" in result.stdout


def test_a_second_run_finds_the_same_dataset(folder):
    before = (folder / "dataset" / "dataset.json").read_text()
    result = bench(folder, "--only", "trace by id", "--rate", "0")
    assert result.returncode == 0 and "seed" not in result.stderr, result.stderr
    assert (folder / "dataset" / "dataset.json").read_text() == before
    assert len(json.loads((folder / "report.json").read_text())["results"]) == 1
