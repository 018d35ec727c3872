# SPDX-License-Identifier: Apache-2.0
"""What `make bench` makes of its measurements: cases, medians, ratios, goals and the difference of two runs."""

import argparse
import copy
import sys

import pytest

from repository import ROOT

sys.path.insert(0, str(ROOT / "Tests/Benchmarks"))
import bench_cases  # noqa: E402
import bench_report  # noqa: E402

OPTIONS = argparse.Namespace(all=False, count=1_000, rounds=5, open_seconds=60)
SPANS = bench_cases.BASE["spans"]


def options(**changes):
    return argparse.Namespace(**(vars(OPTIONS) | changes))


@pytest.mark.parametrize("is_all", [False, True])
def test_every_case_has_a_name_of_its_own(is_all):
    names = [case.name for case in bench_cases.cases(options(all=is_all))]
    assert len(names) == len(set(names))
    assert {name for pair in bench_cases.RATIOS.values() for name in pair} <= set(names)


def test_all_is_every_combination_and_contains_the_core():
    assert len(bench_cases.EVERY) == 4 * 3 * 3 * 2
    assert set(bench_cases.CORE) <= set(bench_cases.EVERY)


def test_rounds_of_the_open_loop_add_up_to_its_time():
    case = bench_cases.OPEN_LOOP[0]
    assert case.item_count(OPTIONS) * OPTIONS.rounds == case.rate * 60
    assert "--rate" in case.send_arguments(OPTIONS) and "--rate" not in bench_cases.CORE[0].send_arguments(OPTIONS)


def test_a_request_is_the_least_that_is_sent():
    assert bench_cases.end_to_end("spans", 4, 8192, "none").item_count(OPTIONS) == 8192


def figures(rate, daemon_us=2.0):
    return {"items_per_second": rate, "daemon_us_per_item": daemon_us, "ack_p50_ms": 1.0,
            "resident_peak_bytes": 80 << 20}


def report_of(rates, ceiling_rates):
    rounds = {SPANS: [figures(rate) for rate in rates],
              bench_cases.MEMORY[0].name: [{"resident_peak_bytes": 80 << 20, "budget_peak_bytes": 20 << 20}],
              bench_cases.ceiling_name("spans", 2): [{"items_per_second": rate} for rate in ceiling_rates]}
    report = {"commit": "0123456789abcdef", "ratios": bench_report.ratios(rounds), "idle_resident_bytes": None,
              "cases": {name: {"group": "group", "figures": bench_report.summary(one)} for name, one in rounds.items()},
              "stations": {"decode traces": {"instructions": 100.0, "allocations": 0.004}}}
    return report | {"goals": bench_report.goals(report)}


def test_ratios_are_of_one_round_each():
    ratio = report_of([100, 10, 50], [200, 10, 100])["ratios"]["spans / raw COPY"]
    assert ratio == {"median": 0.5, "min": 0.5, "max": 1.0}


def test_goals_can_be_missed():
    met = {goal["goal"]: goal["is_met"] for goal in report_of([150_000] * 3, [200_000] * 3)["goals"]}
    assert met and all(met.values())
    missed = [goal for goal in report_of([50_000] * 3, [200_000] * 3)["goals"] if not goal["is_met"]]
    assert [goal["measured"] for goal in missed] == [50_000, 0.25]


def test_the_table_has_a_line_for_each_case_and_goal():
    report = report_of([150_000] * 3, [200_000] * 3)
    lines = bench_report.table(report).splitlines()
    assert any(line.startswith(SPANS) and "150,000" in line for line in lines)
    assert sum(line.startswith("met ") for line in lines) == len(report["goals"])


def test_comparison_names_what_differs():
    old, new = report_of([100_000] * 3, [200_000] * 3), report_of([105_000] * 3, [200_000] * 3)
    text = bench_report.comparison(old, new)
    assert "0 of 6 medians differ by more than 10%" in text, text
    slower = copy.deepcopy(new)
    slower["cases"][SPANS]["figures"]["daemon_us_per_item"]["median"] = 2.5
    del slower["stations"]["decode traces"]
    text = bench_report.comparison(old, slower)
    assert "1 of 5 medians differ" in text and f"+25.0%  {SPANS}: daemon_us_per_item 2 to 2.5" in text, text
    assert "only in the first: decode traces: instructions" in text
