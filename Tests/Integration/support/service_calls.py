# SPDX-License-Identifier: Apache-2.0
"""The figures of services, computed from what was sent alone."""

from collections import defaultdict
import math

from support import otlp
from support.service_graph import CLIENT, CONSUMER, INTERNAL, SERVER, Place, Row

MINUTE_NS = otlp.MINUTE_NS
QUANTILES = {"p50_nanos": 0.5, "p95_nanos": 0.95, "p99_nanos": 0.99}
PLACES = [Place(tenant, namespace, service, instance) for tenant in ("", "red")
          for namespace, service in (("", "web"), ("shop", "cart"), ("bank", "cart"), ("", ""))
          for instance in (1, 2)]


def is_call(row):
    return row.kind in (SERVER, CONSUMER) or not row.parent_id


def duration(row):
    return max(0, row.end_ns - row.start_ns)


def make(random, begin_ns, length_ns, count):
    """Spans anywhere in that time, of all places; two of three are calls."""
    rows = []
    for _ in range(count):
        number = otlp.unique()
        start_ns = begin_ns + random.randrange(length_ns)
        rows.append(Row(
            random.choice(PLACES), otlp.trace_id(number), otlp.span_id(number),
            b"" if random.random() < 0.2 else otlp.span_id(number + 10**9),
            random.choice([SERVER, SERVER, CONSUMER, CLIENT, INTERNAL]), start_ns,
            start_ns + int(10 ** random.uniform(2.5, 10)), random.random() < 0.1))
    return rows


def figures(rows, length_ns=MINUTE_NS):
    """{(begin of the minute or hour in Unix seconds, tenant, namespace, service, kind): [row, ...]}"""
    found = defaultdict(list)
    for row in filter(is_call, rows):
        begin = row.start_ns // length_ns * length_ns // 10**9
        found[begin, row.place.tenant, row.place.namespace, row.place.service, row.kind].append(row)
    return dict(found)


def by_service(rows, begin_ns, end_ns):
    """{(service, namespace): [row, ...]} as the API names them."""
    found = defaultdict(list)
    for row in filter(is_call, rows):
        if begin_ns <= row.start_ns < end_ns:
            found[row.place.service or None, row.place.namespace or None].append(row)
    return dict(found)


def nearest_rank(durations, share):
    return sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
