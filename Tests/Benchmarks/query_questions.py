# SPDX-License-Identifier: Apache-2.0
"""What query.py asks: each question with its ranges of time, its goal, and what the answer has to look like."""

from dataclasses import dataclass
import json
from typing import Callable
from urllib.parse import urlencode

from fleet import NEEDLE, RARE_STATUS
from telemetry import ROUTES

HOUR_NS = 3_600_000_000_000
RANGES_NS = {"hour": HOUR_NS, "6 hours": 6 * HOUR_NS, "day": 24 * HOUR_NS}
# p95 in milliseconds, by range.
GOALS_MS = {"none": 25, "hour": 25, "6 hours": 250, "day": 250}
LIMIT = 20
# Three spans of a thousand.
SLOW_NS = 200_000_000


@dataclass
class Question:
    """`ask` makes (method, target, body) for a range (start and end, or None) and a source of chance.

    `path` is that of the API's description: a version that does not have it is not asked. `expects` says of the
    answer what makes it worth measuring: "some", "none", or "any" where chance decides.
    """

    name: str
    path: str
    ranges: tuple
    ask: Callable
    list_name: str
    expects: str = "some"


def searching(name, what, conditions, expects="some"):
    """A question of one list, for an hour and a day: `conditions` makes them out of a world and a source of chance."""
    return Question(name, f"/api/{what}/search", ("hour", "day"),
                    lambda world, span, chance: search(what, span, conditions(world, chance)), what, expects)


def search(what, span, filters):
    body = {"time_range": {"start_time": str(span[0]), "end_time": str(span[1])},
            "filters": filters, "pagination": {"limit": LIMIT}}
    return "POST", f"/api/{what}/search", json.dumps(body)


def condition(field, operator, value):
    return {"field": field, "operator": operator, "value": value}


def get(path, **parameters):
    return "GET", f"{path}?{urlencode(parameters)}" if parameters else path, None


def service(world, chance):
    return f"service-{chance.randrange(world.services)}"


def one(field, operator, value):
    return lambda world, chance: [condition(field, operator, value)]


def of_service(*conditions):
    return lambda world, chance: [condition("service", "eq", service(world, chance)), *conditions]


def series(name, **parameters):
    """Of a counter, by one label; `parameters` may be made from a world and a source of chance."""
    def ask(world, span, chance):
        made = {key: value(world, chance) if callable(value) else value for key, value in parameters.items()}
        return get("/api/metrics/http.server.requests/series", start_time=span[0], end_time=span[1],
                   group_by="datapoint.http.response.status_code", aggregation="rate", step="10m", **made)
    return Question(name, "/api/metrics/{name}/series", ("hour", "6 hours"), ask, "series")


def ranged(name, path, list_name, expects="some"):
    return Question(name, path, ("hour", "day"), lambda world, span, chance: get(
        path, start_time=span[0], end_time=span[1]), list_name, expects)


STATUS, ERRORS = "span.http.response.status_code", condition("status", "eq", "ERROR")
SEVERE = condition("severity_number", "gte", 17)
QUESTIONS = [
    Question("trace by id", "/api/traces/{id}", ("none",), lambda world, span, chance: get(
        f"/api/traces/{chance.choice(world.trace_ids)}"), "spans"),
    searching("traces, newest", "traces", lambda world, chance: []),
    searching("traces of a service", "traces", of_service(), "any"),
    searching("traces, promoted attribute, common", "traces", one(STATUS, "eq", 200)),
    searching("traces, promoted attribute, rare", "traces", one(STATUS, "eq", RARE_STATUS)),
    searching("traces, promoted attribute, absent", "traces", one(STATUS, "eq", 599), "none"),
    searching("traces, other attribute", "traces", lambda world, chance: [
        condition("span.app.tenant", "eq", f"tenant-{chance.randint(1, 400)}")]),
    searching("traces, duration", "traces", one("duration_nanos", "gte", SLOW_NS)),
    searching("traces, errors", "traces", one("status", "eq", "ERROR")),
    searching("traces, service, route and error", "traces", lambda world, chance: [
        *of_service(ERRORS)(world, chance), condition("span.http.route", "eq", chance.choice(ROUTES))], "any"),
    searching("spans of a service", "spans", of_service(), "any"),
    searching("logs, newest", "logs", lambda world, chance: []),
    searching("logs by text, rare", "logs", one("body", "contains", NEEDLE)),
    searching("logs by text, common", "logs", one("body", "contains", "queued request")),
    searching("logs by severity", "logs", one("severity_number", "gte", 17)),
    searching("logs of a service by severity", "logs", of_service(SEVERE), "any"),
    series("metric of a service, by label", service=service),
    series("metric of all services, by label"),
    # The daemon looks back a day for it, so a dataset that is older has none.
    ranged("service map", "/api/service-map", "edges", "any"),
    ranged("services", "/api/services", "services"),
]
