# SPDX-License-Identifier: Apache-2.0
"""What Grafana does with a dashboard before PostgreSQL sees a query: variables, then macros.

The macros as its documentation says (https://grafana.com/docs/grafana/latest/datasources/postgres/) for a
server without TimescaleDB; an argument ends at the first closing parenthesis, as it does there.
"""

from dataclasses import dataclass, field
from datetime import datetime, timezone
import json
from pathlib import Path
import re

FOLDER = Path(__file__).resolve().parents[3] / "config" / "grafana"
MACRO = re.compile(r"\$(__[_a-zA-Z0-9]+)\(([^)]*)\)")
VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}|\[\[(\w+)\]\]")
UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def dashboards():
    """uid -> dashboard."""
    found = [json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))]
    return {dashboard["uid"]: dashboard for dashboard in found}


@dataclass
class View:
    """A dashboard as somebody looks at it: a range of time, and what is chosen in its variables."""

    dashboard: dict
    from_ns: int
    to_ns: int
    interval_ms: int
    chosen: dict = field(default_factory=dict)

    def panels(self):
        """(title and kind, SQL as PostgreSQL gets it) of each panel."""
        for panel in self.dashboard["panels"]:
            for target in panel["targets"]:
                yield (panel["title"], panel["type"]), self.expand(target["rawSql"], panel)

    def variables(self):
        for variable in self.dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield variable["name"], self.expand(variable["query"], {})

    def expand(self, sql, panel):
        interval_ms = max(self.interval_ms, milliseconds(panel.get("interval", "1ms")))
        texts = {"__interval_ms": str(interval_ms), "__interval": f"{interval_ms}ms"}
        for variable in self.dashboard["templating"]["list"]:
            texts[variable["name"]] = self.text(variable)
        filled = VARIABLE.sub(lambda match: texts.get(next(filter(None, match.groups())), match[0]), sql)
        return MACRO.sub(lambda match: self.macro(match[1], [part.strip() for part in match[2].split(",")]), filled)

    def text(self, variable):
        """One value is escaped, several are quoted, and what stands for all of them is taken as it is."""
        value = self.chosen.get(variable["name"])
        if variable["type"] == "textbox":
            return str(variable["query"] if value is None else value).replace("'", "''")
        if value is None:
            return variable["allValue"]
        return ",".join("'" + text.replace("'", "''") + "'" for text in value)

    def macro(self, name, arguments):
        column = arguments[0]
        match name.removeprefix("__"):
            case "timeFilter":
                return f"{column} BETWEEN '{rfc3339(self.from_ns)}' AND '{rfc3339(self.to_ns)}'"
            case "timeFrom":
                return f"'{rfc3339(self.from_ns)}'"
            case "timeTo":
                return f"'{rfc3339(self.to_ns)}'"
            case "unixEpochNanoFilter":
                return f"{column} >= {self.from_ns} AND {column} <= {self.to_ns}"
            case "unixEpochNanoFrom":
                return str(self.from_ns)
            case "unixEpochNanoTo":
                return str(self.to_ns)
            case "timeGroup" | "timeGroupAlias":
                return group(f"extract(epoch from {column})", arguments[1], name.endswith("Alias"))
            case "unixEpochGroup" | "unixEpochGroupAlias":
                return group(f"({column})", arguments[1], name.endswith("Alias"))
        raise AssertionError(f"Grafana has no macro ${name}")


def group(seconds, interval, has_alias):
    width = f"{milliseconds(interval.strip(chr(39))) / 1000:.16g}"
    return f"floor({seconds}/{width})*{width}" + (' AS "time"' if has_alias else "")


def milliseconds(interval):
    number, unit = re.fullmatch(r"(\d+)(\w+)", interval).groups()
    return int(number) * UNITS_MS[unit]


def rfc3339(time_ns):
    """In whole milliseconds, which is all that a range in Grafana has."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{time_ns // 1_000_000 % 1000:03d}Z"
