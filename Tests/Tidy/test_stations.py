# SPDX-License-Identifier: Apache-2.0
"""The gate on instructions and allocations can fail: its arithmetic, on made-up output of callgrind."""

import importlib.util
import json
import sys

import pytest

from repository import ROOT

PATH = ROOT / "Tests/Benchmarks/stations.py"
SPEC = importlib.util.spec_from_file_location("stations", PATH)
stations = importlib.util.module_from_spec(SPEC)
sys.modules["stations"] = stations
SPEC.loader.exec_module(stations)

# Two callers of malloc, one of which is named by its number only, and a function that is none.
CALLGRIND = """\
events: Ir
fn=(1) work
1 100
cfn=(2) malloc
calls=3 0
1 60
cfn=(3) memcpy
calls=50 0
1 10
fn=(4) other
cfn=(2)
calls=4 0
1 80
cfn=(5) realloc'2
calls=1 0
1 5
totals: 4096
"""


def test_totals_of_callgrind():
    assert stations.callgrind_totals(CALLGRIND) == (4096, 8)


@pytest.mark.parametrize(
    "instructions, allocations, count",
    [(100, 0.1, 0), (100.1, 0.1, 1), (100, 0.11, 1), (101, 1, 2), (10, 0, 0)],
)
def test_figures_above_their_limit_are_found(instructions, allocations, count):
    limits = {"decode traces": {"instructions": 100, "allocations": 0.1}}
    measured = {"decode traces": stations.Figures(instructions, allocations)}
    assert len(stations.violations(measured, limits)) == count


def test_a_station_without_a_limit_is_found():
    assert len(stations.violations({"new traces": stations.Figures(1, 0)}, {})) == 1


def test_limits_that_were_written_hold_what_was_measured():
    measured = {"copy logs": stations.Figures(1234.56, 0.0039)}
    limits = stations.limits_of(measured)
    assert stations.violations(measured, limits) == []
    worse = {"copy logs": stations.Figures(1234.56 * 1.06, 0.0039)}
    assert len(stations.violations(worse, limits)) == 1
    worse = {"copy logs": stations.Figures(1234.56, 0.02)}
    assert len(stations.violations(worse, limits)) == 1


def test_every_station_has_a_limit_for_some_compiler():
    every = {f"{station} {signal}" for station in stations.STATIONS for signal in stations.SIGNALS}
    for compiler, limits in json.loads(stations.LIMITS.read_text()).items():
        assert set(limits) == every, compiler
