# SPDX-License-Identifier: Apache-2.0
"""What query.py asks: each question with its ranges of time, its goal, and what the answer has to look like."""

from dataclasses import dataclass
from typing import Callable
from urllib.parse import urlencode

HOUR_NS = 3_600_000_000_000
RANGES_NS = {"hour": HOUR_NS, "6 hours": 6 * HOUR_NS, "day": 24 * HOUR_NS}
# p95 in milliseconds, by range.
GOALS_MS = {"none": 25, "hour": 25, "6 hours": 250, "day": 250}


@dataclass
class Question:
    """`ask` makes (method, target, body) for a range (start and end, or None) and a source of chance.

    `expects` says of the answer what makes it worth measuring: "some", "none", or "any" where chance decides.
    """

    name: str
    ranges: tuple
    ask: Callable
    list_name: str
    expects: str = "some"


def get(path, **parameters):
    return "GET", f"{path}?{urlencode(parameters)}" if parameters else path, None


QUESTIONS = [
    Question("trace by id", ("none",), lambda world, span, chance: get(
        f"/api/traces/{chance.choice(world.trace_ids)}"), "spans"),
]
