# SPDX-License-Identifier: Apache-2.0
"""A small world to look at with dashboards, and what each panel has to say about it, worked out in Python."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
import math
from random import Random

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from support import otlp
from support.otlp import BASE_NS, MINUTE_NS
from support.service_calls import nearest_rank

HOUR_NS = 60 * MINUTE_NS
DAY_NS = 1440 * MINUTE_NS
SPAN_NS = 20 * MINUTE_NS
SERVICES = ("cart", "checkout", "o'brien")
KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")
LEVELS = ("trace", "debug", "info", "warning", "error", "critical")
WORDS = ("the cart is empty", "it's o'clock", "100% of Disk used", "retry")
HEATMAP_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 60000)
TOP = 12


@dataclass
class Item:
    """A span or log record: what was sent, and the service that sent it."""

    sent: object
    service: str

    @property
    def time_ns(self):
        return getattr(self.sent, "start_time_unix_nano", None) or self.sent.time_unix_nano

    @property
    def duration_ns(self):
        return self.sent.end_time_unix_nano - self.sent.start_time_unix_nano

    @property
    def duration_ms(self):
        return self.duration_ns / 1e6

    @property
    def is_entry(self):
        return self.sent.kind in (2, 5)

    @property
    def is_error(self):
        return self.sent.status.code == 2

    @property
    def level(self):
        number = self.sent.severity_number
        return LEVELS[(number - 1) // 4] if number else "unknown"


class World:
    """Spans and records of today and of yesterday, in requests that are ready to be sent."""

    def __init__(self):
        random = Random(20)
        self.spans, self.logs = [], []
        for begin_ns in (BASE_NS - DAY_NS, BASE_NS):
            for service in SERVICES:
                for _ in range(random.randint(40, 60)):
                    self.spans.append(Item(make_span(random, begin_ns), service))
                    self.logs.append(Item(make_record(random, begin_ns), service))

    def requests(self):
        for signal, items in (("traces", self.spans), ("logs", self.logs)):
            for service in SERVICES:
                resource = Resource(attributes=[otlp.attribute("service.name", service)])
                yield otlp.request(signal, [item.sent for item in items if item.service == service], resource)


def make_span(random, begin_ns):
    start_ns = begin_ns + random.randrange(SPAN_NS)
    span = otlp.span(
        name=random.choice(("GET /", "POST /order", "charge")), kind=random.randrange(6), start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + int(10 ** random.uniform(4, 11)))
    if random.random() < 0.5:
        span.parent_span_id = otlp.span_id(1)
    if random.random() < 0.7:
        span.status.code = random.choice((0, 1, 2))
        span.status.message = "it failed" if span.status.code == 2 else ""
    return span


def make_record(random, begin_ns):
    fields = {"time_unix_nano": begin_ns + random.randrange(SPAN_NS), "severity_number": random.randrange(25)}
    if random.random() < 0.5:
        fields |= {"trace_id": otlp.trace_id(otlp.unique()), "span_id": otlp.span_id(7)}
    if random.random() < 0.2:
        fields["event_name"] = "an.event"
    body = AnyValue(int_value=random.randrange(100)) if random.random() < 0.2 else AnyValue(
        string_value=f"{random.choice(WORDS)} {otlp.unique()}")
    return otlp.log_record(**fields, body=body, attributes=[otlp.attribute("queue", "q")])


# What dashboards say

def moment(time_ns):
    """As PostgreSQL shows it: cut to microseconds."""
    return datetime.fromtimestamp(time_ns // 10**9, timezone.utc) + timedelta(microseconds=time_ns // 1000 % 10**6)


def quantile(values, fraction):
    values = sorted(values)
    if not values:
        return None
    place = fraction * (len(values) - 1)
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def middle(items, fraction):
    """The middle, in milliseconds, of the bucket that has the duration which so many do not exceed."""
    if not items:
        return None
    duration_ns = nearest_rank([item.duration_ns for item in items], fraction)
    bucket = 79 if duration_ns <= 1024 else min(math.ceil(math.log2(duration_ns) * 8) - 1, 335)
    return 2 ** ((bucket + 0.5) / 8) / 1e6


def grouped(items, key):
    groups = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return sorted(groups.items())


def share(part, whole):
    return 100 * part / whole if whole else None


def leaders(items, weight):
    """The services that the panels with a limit show."""
    totals = {service: sum(map(weight, group)) for service, group in grouped(items, lambda item: item.service)}
    return set(sorted((name for name in totals if totals[name]), key=lambda name: (-totals[name], name))[:TOP])


class Expected:
    """The rows of each panel of the dashboards over spans and records, for a `grafana.View`."""

    def __init__(self, world, view):
        self.world, self.view = world, view
        chosen = view.chosen.get("service")
        min_ms = float(view.chosen.get("min_ms") or 0)
        levels, search = view.chosen.get("level"), view.chosen.get("search", "").lower()

        def is_shown(item):
            return view.from_ns <= item.time_ns <= view.to_ns and (chosen is None or item.service in chosen)

        spans = [item for item in world.spans if is_shown(item)]
        self.requests = [item for item in spans if item.is_entry]
        self.long = [item for item in spans if item.duration_ms >= min_ms]
        self.roots = [item for item in self.long if not item.sent.parent_span_id]
        self.records = [item for item in world.logs if is_shown(item) and (levels is None or item.level in levels)
                        and search in body(item).lower()]
        self.seconds = (view.to_ns - view.from_ns) / 1e9

    def bucket(self, item, at_least_s):
        width_s = max(self.view.interval_ms / 1000, at_least_s)
        return item.time_ns // 10**9 // width_s * width_s

    def services(self):
        """Out of figures by minute: durations are middles of buckets."""
        requests, step_s = self.requests, max(self.view.interval_ms / 1000, 60)
        failed = sum(item.is_error for item in requests)
        return {
            ("Requests per second", "stat"): [(len(requests) / self.covered_s,)],
            ("Failed requests", "stat"): [(share(failed, len(requests)),)],
            ("95 % are faster than", "stat"): [(middle(requests, 0.95),)],
            ("Services with requests", "stat"): [(len({item.service for item in requests}),)],
            ("Requests per second", "timeseries"): [
                (*key, len(group) / step_s) for key, group in self.by_service(requests, lambda item: 1, 60)],
            ("Failed requests", "timeseries"): [
                (*key, share(sum(item.is_error for item in group), len(group)))
                for key, group in self.by_service(requests, lambda item: item.is_error, 60)],
            ("Duration of requests", "timeseries"): [
                (time, *(middle(group, part) for part in (0.5, 0.95, 0.99)))
                for time, group in grouped(requests, lambda item: self.bucket(item, 60))],
            ("Services", "table"): self.rated(
                lambda item: (item.service,), self.covered_s,
                lambda group: (middle(group, part) for part in (0.5, 0.95, 0.99))),
            ("Operations", "table"): self.rated(
                lambda item: (item.service, item.sent.name, KINDS[item.sent.kind]), self.seconds,
                lambda group: [quantile([item.duration_ms for item in group], 0.95)]),
        }

    @property
    def covered_s(self):
        """Figures begin with the hour of the oldest span; all views of tests end in the past."""
        first_ns = min(item.time_ns for item in self.world.spans) // HOUR_NS * HOUR_NS
        return (self.view.to_ns - max(self.view.from_ns, first_ns)) / 1e9

    def by_service(self, items, weight, at_least_s=10):
        shown = leaders(items, weight)
        return grouped([item for item in items if item.service in shown],
                       lambda item: (self.bucket(item, at_least_s), item.service))

    def rated(self, key, seconds, durations):
        rows = [(*names, len(group) / seconds, share(sum(item.is_error for item in group), len(group)),
                 *durations(group)) for names, group in grouped(self.requests, key)]
        place = len(key(self.requests[0])) if self.requests else 0
        return sorted(rows, key=lambda row: (-row[place], row[:place]))[:200]

    def traces(self):
        slow = sorted(self.roots, key=lambda item: -item.duration_ns)[:50]
        failed = sorted((item for item in self.long if item.is_error), key=lambda item: -item.time_ns)[:50]
        work = [(*names, len(group), sum(item.duration_ms for item in group),
                 sum(item.duration_ms for item in group) / len(group),
                 quantile([item.duration_ms for item in group], 0.95), max(item.duration_ms for item in group))
                for names, group in grouped(
                    self.long, lambda item: (item.service, item.sent.name, KINDS[item.sent.kind]))]
        return {
            ("Duration of traces", "timeseries"): [
                (time, *(quantile([item.duration_ms for item in group], part) for part in (0.5, 0.95, 0.99)),
                 max(item.duration_ms for item in group))
                for time, group in grouped(self.roots, lambda item: self.bucket(item, 10))],
            ("How many take how long", "heatmap"): [
                (time, *self.heat(group)) for time, group in grouped(self.roots, lambda item: self.bucket(item, 60))],
            ("Slowest traces", "table"): [
                (*identity(item), item.duration_ms, STATUSES[item.sent.status.code]) for item in slow],
            ("Newest failures", "table"): [
                (*identity(item), item.duration_ms, item.sent.status.message) for item in failed],
            ("Where the time goes", "table"): sorted(work, key=lambda row: -row[4])[:100],
        }

    @staticmethod
    def heat(group):
        bounds = (0, *HEATMAP_MS, math.inf)
        return (sum(low <= item.duration_ms < high for item in group) for low, high in zip(bounds, bounds[1:]))

    def logs(self):
        records = self.records
        errors = [item for item in records if item.sent.severity_number >= 17]
        newest = sorted(records, key=lambda item: -item.time_ns)[:500]
        table = [(service, len(group), sum(13 <= item.sent.severity_number <= 16 for item in group),
                  sum(item.sent.severity_number >= 17 for item in group), moment(max(item.time_ns for item in group)))
                 for service, group in grouped(records, lambda item: item.service)]
        return {
            ("Records", "stat"): [(len(records),)],
            ("Errors", "stat"): [(len(errors),)],
            ("Part of a trace", "stat"): [
                (share(sum(bool(item.sent.trace_id) for item in records), len(records)),)],
            ("Services", "stat"): [(len({item.service for item in records}),)],
            ("Records by level", "timeseries"): [
                (*key, len(group)) for key, group in grouped(
                    records, lambda item: (self.bucket(item, 10), item.level))],
            ("Records by service", "timeseries"): [
                (*key, len(group)) for key, group in self.by_service(records, lambda item: 1)],
            ("Newest records", "logs"): [
                (moment(item.time_ns), body(item), item.level, ANY, item.service, item.sent.trace_id.hex() or None,
                 item.sent.span_id.hex() or None, item.sent.event_name or None, {"queue": "q"}) for item in newest],
            ("By service", "table"): sorted(table, key=lambda row: (-row[1], row[0]))[:200],
        }


class Anything:
    """Equal to whatever it is compared with."""

    def __eq__(self, other):
        return True


ANY = Anything()


def identity(item):
    return moment(item.time_ns), item.sent.trace_id.hex(), item.service, item.sent.name


def body(item):
    return item.sent.body.string_value or str(item.sent.body.int_value)
