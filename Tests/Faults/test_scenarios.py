# SPDX-License-Identifier: Apache-2.0
"""Under every fault nothing that was acknowledged is lost, and nothing is doubled.

And each scenario can see it: with a mechanism of the daemon broken on purpose, the violation is found.
"""

from pathlib import Path
import re

import pytest

from scenarios import ALL

ROOT = Path(__file__).resolve().parents[2]
PAPER = (ROOT / "docs/reliability.md").read_text()
BREAKS_SOURCE = ROOT / "Sources/Base/TestBreak.swift"
BREAKS = [(scenario, test_break, violation) for scenario in ALL.values()
          for test_break, violation in scenario.breaks.items()]


@pytest.mark.parametrize("scenario", ALL.values(), ids=lambda scenario: scenario.name)
def test_nothing_is_lost_and_nothing_doubled(play, scenario):
    result = play(scenario)
    assert not result.violations, result.balance
    assert result.faults, "no fault was injected"
    assert result.balance.acknowledged_count + result.balance.rejected_count == result.balance.sent_count
    print(result.summary())


@pytest.mark.parametrize("scenario, test_break, violation", BREAKS,
                         ids=[f"{scenario.name}-{test_break}" for scenario, test_break, _ in BREAKS])
def test_a_break_is_noticed(play, scenario, test_break, violation):
    result = play(scenario, test_break)
    assert violation in result.violations, result.balance


def test_every_scenario_has_a_break():
    assert all(scenario.breaks for scenario in ALL.values())


def row(scenario):
    """The line of a scenario in the paper."""
    return f"| `{scenario.name}` | {scenario.what} | {', '.join(f'`{name}`' for name in scenario.breaks)} |"


@pytest.mark.parametrize("scenario", ALL.values(), ids=lambda scenario: scenario.name)
def test_every_scenario_is_in_the_paper(scenario):
    assert row(scenario) in PAPER.splitlines(), f"docs/reliability.md lacks\n{row(scenario)}"


def test_every_break_is_in_the_paper_and_used():
    names = set(re.findall(r'case \w+ = "([a-z-]+)"', BREAKS_SOURCE.read_text()))
    assert names == set(re.findall(r"^\| `([a-z-]+)` \| [^|]* \|$", PAPER, re.MULTILINE))
    assert names == {test_break for _, test_break, _ in BREAKS}
