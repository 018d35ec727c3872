# SPDX-License-Identifier: Apache-2.0
"""Telemetry of many services, each of which does few things and calls few others: the seed of query.py."""

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from exports import pairs
from telemetry import ROUTES, TABLES, Telemetry

PODS = 3
CALLED = 4
RARE_STATUS, RARE_EVERY = 418, 5_000
NEEDLE, NEEDLE_EVERY = "checksum mismatch in segment", 2_000
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA


class Fleet(Telemetry):
    """As Telemetry, over `service_count` services with three pods each."""

    def __init__(self, seed, start_ns, step_ns, service_count):
        super().__init__(seed, start_ns, step_ns, service_count * PODS)
        self.service_count = service_count
        self.made = 0

    def neighbour(self, resource):
        """A pod of one of the services that this one calls."""
        service = (resource // PODS * 7 + 1 + self.random.randrange(CALLED)) % self.service_count
        return service * PODS + self.random.randrange(PODS)

    def span(self, trace_id, parent, resource):
        service = resource // PODS
        self.routes = [ROUTES[(service * 5 + index) % len(ROUTES)] for index in range(4)]
        self.tables = [TABLES[(service + index) % len(TABLES)] for index in range(2)]
        item = super().span(trace_id, parent, resource)
        self.made += 1
        if self.made % RARE_EVERY == 0:
            item["attributes"]["http.response.status_code"] = RARE_STATUS
        return item

    def logs(self, count):
        for number, item in enumerate(super().logs(count), 1):
            if number % NEEDLE_EVERY == 0:
                item["body"] += ": " + NEEDLE
            yield item

    def points(self, _=None):
        """One point of each of ten series per service, all of one time."""
        for service in range(self.service_count):
            for metric in self.metrics(service):
                yield {"resource": service * PODS, "metric": metric}

    def metrics(self, service):
        route = ROUTES[service * 5 % len(ROUTES)]
        for method in ("GET", "POST"):
            yield self.number("http.server.active_requests", "sum", {"http.request.method": method})
            for status in (200, 500):
                yield self.number("http.server.requests", "counter", {
                    "http.request.method": method, "http.response.status_code": status})
            yield self.histogram("http.server.request.duration", {"http.request.method": method, "http.route": route})
        for name in ("process.cpu.utilization", "process.memory.usage"):
            yield self.number(name, "gauge", {})

    def number(self, name, kind, attributes):
        metric = Metric(name=name, unit="1")
        data = metric.gauge if kind == "gauge" else metric.sum
        if kind != "gauge":
            metric.sum.aggregation_temporality, metric.sum.is_monotonic = CUMULATIVE, kind == "counter"
        point = data.data_points.add(time_unix_nano=self.now_ns, attributes=pairs(attributes))
        if kind != "gauge":
            point.start_time_unix_nano = self.now_ns
        point.as_int = self.random.randint(1, 1000)
        return metric

    def histogram(self, name, attributes):
        metric = Metric(name=name, unit="s")
        metric.histogram.aggregation_temporality = DELTA
        counts = [self.random.randint(0, 50) for _ in range(len(BOUNDS_S) + 1)]
        metric.histogram.data_points.add(
            time_unix_nano=self.now_ns, start_time_unix_nano=self.now_ns - 60 * 10**9, count=sum(counts),
            sum=sum(counts) / 10, bucket_counts=counts, explicit_bounds=BOUNDS_S, attributes=pairs(attributes))
        return metric
