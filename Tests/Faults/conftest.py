# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the fault scenarios. Their decisions follow from a seed, which is printed:

    STARLING_FAULT_SEED=SEED .venv/bin/pytest Tests/Faults -k NAME     does the same once more
"""

import os
from pathlib import Path
import secrets
import sys

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests/Integration"), str(Path(__file__).parent)]

from support.cluster import Cluster  # noqa: E402

BINARY = Path(os.environ.get("STARLING_BINARY", ROOT / ".build/debug/starling")).resolve()
SEED = os.environ.get("STARLING_FAULT_SEED") or secrets.token_hex(4)


def pytest_report_header():
    return f"STARLING_FAULT_SEED={SEED}"


@pytest.fixture(scope="session")
def seed():
    return SEED


@pytest.fixture(scope="session")
def binary():
    assert BINARY.is_file(), f"{BINARY} is missing: run `swift build`, or set STARLING_BINARY"
    return BINARY


@pytest.fixture(scope="session")
def cluster():
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def play(request, cluster, binary, seed, tmp_path):
    """Plays a scenario, with a break if one is named; a failure shows what the daemons printed."""
    from stage import Stage

    def run(scenario, test_break=None):
        stage = Stage(scenario, cluster, binary, tmp_path, seed, test_break)
        request.node.stage = stage
        return stage.run()

    return run


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    stage = getattr(item, "stage", None)
    if report.failed and stage is not None:
        report.sections.append(("seed", f"STARLING_FAULT_SEED={stage.seed}"))
        report.sections.append(("starling", stage.output()))
