# SPDX-License-Identifier: Apache-2.0
"""From the rounds of bench.py to medians, ratios, goals, a table, and the difference of two runs."""

import statistics

from bench_cases import BASE, MEMORY, RATIOS

MEBIBYTE = 1 << 20
COLUMNS = [  # heading, figure, part, factor, decimals
    ("items/s", "items_per_second", "median", 1, 0), ("min", "items_per_second", "min", 1, 0),
    ("max", "items_per_second", "max", 1, 0), ("daemon us", "daemon_us_per_item", "median", 1, 2),
    ("database us", "database_us_per_item", "median", 1, 2), ("load us", "load_us_per_item", "median", 1, 2),
    ("p50 ms", "ack_p50_ms", "median", 1, 1), ("p99 ms", "ack_p99_ms", "median", 1, 1),
    ("p99.9 ms", "ack_p999_ms", "median", 1, 1), ("peak MiB", "resident_peak_bytes", "median", 1 / MEBIBYTE, 0),
    ("held MiB", "budget_peak_bytes", "median", 1 / MEBIBYTE, 0),
]
# What two runs of one commit should agree in; tails of latency are what single rounds make of them.
COMPARED = ("items_per_second", "daemon_us_per_item", "database_us_per_item", "ack_p50_ms", "ratio", "instructions")
DIFFERENCE_MAX = 0.10
# Allocations are counted per request; below this none is per item.
ALLOCATIONS_NONE = 0.05


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(rounds):
    """Median, min and max of each figure over the rounds of one case."""
    return {figure: spread([one[figure] for one in rounds]) for figure in rounds[0]}


def ratios(rounds):
    """Of what was measured in one round each: case → rounds."""
    return {name: spread([one["items_per_second"] / other["items_per_second"]
                          for one, other in zip(rounds[case], rounds[ceiling])])
            for name, (case, ceiling) in RATIOS.items() if case in rounds and ceiling in rounds}


def goals(report):
    """(goal, measured, whether met) of the goals that this run can judge."""
    def median(case, figure):
        return report["cases"].get(case, {}).get("figures", {}).get(figure, {}).get("median")

    base, steady = BASE["spans"], "spans, 1 conn, 10,000 spans/s"
    stations = report.get("stations") or {}
    above, idle = None, report["idle_resident_bytes"]
    memory = MEMORY[0].name
    if median(memory, "budget_peak_bytes") is not None:
        above = (median(memory, "resident_peak_bytes") - median(memory, "budget_peak_bytes")) / MEBIBYTE
    candidates = [
        ("at least 100,000 durable spans/s", median(base, "items_per_second"), lambda value: value >= 100_000),
        ("at least 0.6 of raw COPY", report["ratios"].get("spans / raw COPY", {}).get("median"),
         lambda value: value >= 0.6),
        ("at most 3.5 us of the daemon per span", median(base, "daemon_us_per_item"), lambda value: value <= 3.5),
        ("ack p50 at most 10 ms at 10,000 spans/s", median(steady, "ack_p50_ms"), lambda value: value <= 10),
        ("ack p99 at most 50 ms at 10,000 spans/s", median(steady, "ack_p99_ms"), lambda value: value <= 50),
        ("at most 64 MiB resident above the budget in use", above, lambda value: value <= 64),
        ("at most 32 MiB resident when idle", idle and idle["median"] / MEBIBYTE, lambda value: value <= 32),
        ("no allocation per item at any station",
         max((figures["allocations"] for figures in stations.values()), default=None),
         lambda value: value < ALLOCATIONS_NONE),
    ]
    return [{"goal": goal, "measured": value, "is_met": is_met(value)}
            for goal, value, is_met in candidates if value is not None]


def table(report):
    width = max(map(len, report["cases"])) + 2
    lines, group = [], None
    for name, case in report["cases"].items():
        if case["group"] != group:
            group = case["group"]
            lines += ["", f"{group:{width}}" + "".join(f"{heading:>{cell(heading)}}" for heading, *_ in COLUMNS)]
        texts = []
        for heading, figure, part, factor, decimals in COLUMNS:
            value = case["figures"].get(figure)
            text = f"{value[part] * factor:,.{decimals}f}" if value else ""
            texts.append(f"{text:>{cell(heading)}}")
        lines.append(f"{name:{width}}" + "".join(texts).rstrip())
    lines.append("")
    for name, ratio in report["ratios"].items():
        lines.append(f"{name:{width}}{ratio['median']:10.2f}{ratio['min']:10.2f}{ratio['max']:10.2f}")
    for goal in report["goals"]:
        decimals = 0 if goal["measured"] >= 1_000 else 2
        lines.append(f"{'met   ' if goal['is_met'] else 'MISSED'} {goal['goal']}: {goal['measured']:,.{decimals}f}")
    return "\n".join(lines)


def cell(heading):
    return max(10, len(heading) + 2)


def medians(report):
    """(case, figure) → median, of what two runs are compared by."""
    found = {(name, figure): value["median"] for name, case in report["cases"].items()
             for figure, value in case["figures"].items()}
    found |= {(name, "ratio"): value["median"] for name, value in report["ratios"].items()}
    found |= {(name, "instructions"): value["instructions"] for name, value in (report.get("stations") or {}).items()}
    return {key: value for key, value in found.items() if key[1] in COMPARED}


def comparison(old, new):
    """What differs between two reports, as lines for people."""
    before, after = medians(old), medians(new)
    both = [key for key in before if key in after and before[key]]
    changes = {key: after[key] / before[key] - 1 for key in both}
    lines = [f"{old['commit'][:12]} to {new['commit'][:12]}"]
    for figure in COMPARED:
        of_figure = [change for key, change in changes.items() if key[1] == figure]
        if of_figure:
            lines.append(f"{figure:24}{len(of_figure):4} medians, changes from {min(of_figure):+.1%} "
                         f"to {max(of_figure):+.1%}, median {statistics.median(of_figure):+.1%}")
    beyond = sorted((key for key in both if abs(changes[key]) > DIFFERENCE_MAX), key=lambda key: -abs(changes[key]))
    for key in beyond:
        lines.append(f"{changes[key]:+8.1%}  {key[0]}: {key[1]} {before[key]:,.5g} to {after[key]:,.5g}")
    lines.append(f"{len(beyond)} of {len(both)} medians differ by more than {DIFFERENCE_MAX:.0%}")
    for key in sorted(before.keys() ^ after.keys()):
        lines.append(f"only in {'the first' if key in before else 'the second'}: {key[0]}: {key[1]}")
    return "\n".join(lines)
