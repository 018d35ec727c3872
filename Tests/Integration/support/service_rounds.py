# SPDX-License-Identifier: Apache-2.0
"""What tests of the service map and of figures of services do: send spans, have the janitor look, compare durations."""

import time

from support.otlp import MINUTE_NS
from support.service_graph import bucket_bounds, requests, unpacked
from support.waiting import eventually

HOUR_NS = 60 * MINUTE_NS
DONE = "the service map is"
FAILED = "the service map could not be brought up to date"


def send(export, rows):
    for request in requests(rows):
        export(request)


def hour_ago(hours):
    """The begin of an hour of the past, not changing within a test."""
    return time.time_ns() // HOUR_NS * HOUR_NS - hours * HOUR_NS


def one_round(start_server, database, settings=None, done=DONE):
    """Starts a daemon, which looks at the map at once, and ends it after that; returns what it said."""
    server = start_server(database, {"log.level": "debug"} | (settings or {}))
    eventually(lambda: done in server.daemon.output(), "the first look at the service map")
    assert server.daemon.stop() == 0
    return server.daemon.output()


def assert_latencies(packed, durations_ns):
    """`packed` is latency_buckets: each duration is in its bucket, and each bucket there once."""
    buckets = unpacked(packed)
    numbers = [bucket for bucket, _ in buckets]
    assert numbers == sorted(set(numbers)) and all(count > 0 for _, count in buckets)
    spread = [bucket for bucket, count in buckets for _ in range(count)]
    assert len(spread) == len(durations_ns)
    for duration, bucket in zip(sorted(durations_ns), spread):
        lower, upper = bucket_bounds(bucket)
        assert lower * (1 - 1e-9) < duration <= upper * (1 + 1e-9) or lower == -1, (duration, bucket)
