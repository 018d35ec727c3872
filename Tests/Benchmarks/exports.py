# SPDX-License-Identifier: Apache-2.0
"""Telemetry out of telemetry.py as OTLP, and sent to a daemon."""

from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.grpcwire import PATHS
from support.otlp import REQUESTS, RESPONSES, SCOPE_LEVELS, any_of, attribute

REQUEST_ITEM_COUNT = 2000


def pairs(attributes):
    return [attribute(key, value) for key, value in attributes.items()]


def span(item):
    result = Span(trace_id=item["trace_id"], span_id=item["span_id"], parent_span_id=item["parent_span_id"],
                  name=item["name"], kind=item["kind"], start_time_unix_nano=item["start"],
                  end_time_unix_nano=item["end"], attributes=pairs(item["attributes"]))
    if item["status"] is not None:
        result.status.code = item["status"]
    return result


def record(item):
    return LogRecord(time_unix_nano=item["time"], observed_time_unix_nano=item["time"],
                     severity_number=item["severity"], severity_text=item["severity_text"],
                     trace_id=item["trace_id"], span_id=item["span_id"], body=any_of(item["body"]),
                     attributes=pairs(item["attributes"]))


def point(item):
    metric = Metric(name=item["metric"], unit="{request}")
    metric.gauge.data_points.add(time_unix_nano=item["time"], as_int=item["value"], attributes=pairs(item["attributes"]))
    return metric


# Kind of item -> its signal, and what makes a message of one.
Sent = namedtuple("Sent", "signal make")
SENT = {"spans": Sent("traces", span), "logs": Sent("logs", record), "points": Sent("metrics", point),
        "metrics": Sent("metrics", lambda item: item["metric"])}


def requests(kind, items, resources):
    """Requests with an envelope per resource; an item names the place of its resource in `resources`."""
    signal, make = SENT[kind]
    envelopes, scopes, level = SCOPE_LEVELS[signal]
    owners = [Resource(attributes=pairs(attributes)) for attributes in resources]
    for first in range(0, len(items), REQUEST_ITEM_COUNT):
        request, places = REQUESTS[signal](), {}
        for item in items[first:first + REQUEST_ITEM_COUNT]:
            if item["resource"] not in places:
                envelope = getattr(request, envelopes).add(resource=owners[item["resource"]])
                inner = getattr(envelope, scopes).add(scope=InstrumentationScope(name="agent", version="2.1"))
                places[item["resource"]] = getattr(inner, level)
            places[item["resource"]].append(make(item))
        yield request


def export(channel, signal, messages):
    """Sends requests, two at a time; every item must be taken."""
    call = channel.unary_unary(PATHS[signal], request_serializer=REQUESTS[signal].SerializeToString,
                               response_deserializer=RESPONSES[signal].FromString)
    with ThreadPoolExecutor(2) as pool:
        for response in pool.map(lambda message: call(message, timeout=120), messages):
            assert response.SerializeToString() == b"", response
