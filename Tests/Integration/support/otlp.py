# SPDX-License-Identifier: Apache-2.0
"""Requests made by hand: unique items, and messages in which every field is set."""

import itertools
import struct
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest, ExportLogsServiceResponse)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest, ExportMetricsServiceResponse)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest, ExportTraceServiceResponse)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SIGNALS = ("traces", "logs", "metrics")
REQUESTS = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest,
            "metrics": ExportMetricsServiceRequest}
RESPONSES = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse,
             "metrics": ExportMetricsServiceResponse}
REJECTED_FIELDS = {"traces": "rejected_spans", "logs": "rejected_log_records", "metrics": "rejected_data_points"}

MINUTE_NS = 60_000_000_000
# The daemon accepts times around now only, so telemetry is dated a while before the run.
BASE_NS = time.time_ns() // MINUTE_NS * MINUTE_NS - 30 * MINUTE_NS

_numbers = itertools.count(1)


def unique():
    """A number that no other item of this run has."""
    return next(_numbers)


def trace_id(number):
    return struct.pack(">QQ", 0x5354_4152_4C49_4E47, number)


def span_id(number):
    return struct.pack(">Q", number)


def attribute(key, value):
    """A KeyValue from a Python value; an AnyValue is taken as it is."""
    return KeyValue(key=key, value=value if isinstance(value, AnyValue) else any_of(value))


def any_of(value):
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(**{{str: "string_value", int: "int_value", float: "double_value",
                        bytes: "bytes_value"}[type(value)]: value})


def attributes(**values):
    return [attribute(key.replace("__", "."), value) for key, value in values.items()]


def span(**fields):
    """A span that the daemon stores, with `fields` on top."""
    number = unique()
    return Span(**({"trace_id": trace_id(number), "span_id": span_id(number), "name": f"span {number}",
                    "start_time_unix_nano": BASE_NS + number, "end_time_unix_nano": BASE_NS + number + 1000}
                   | fields))


def log_record(**fields):
    number = unique()
    return LogRecord(**({"time_unix_nano": BASE_NS + number, "observed_time_unix_nano": BASE_NS + number + 1,
                         "body": AnyValue(string_value=f"record {number}")} | fields))


def gauge(name=None, point_count=1, **fields):
    """A metric with integer gauge points."""
    result = Metric(name=name or f"gauge.{unique()}", **fields)
    for _ in range(point_count):
        number = unique()
        result.gauge.data_points.add(time_unix_nano=BASE_NS + number, as_int=number)
    return result


ITEMS = {"traces": span, "logs": log_record, "metrics": gauge}
SCOPE_LEVELS = {"traces": ("resource_spans", "scope_spans", "spans"),
                "logs": ("resource_logs", "scope_logs", "log_records"),
                "metrics": ("resource_metrics", "scope_metrics", "metrics")}


def request(signal, items=None, resource=None, scope=None):
    """A request of one resource and one scope; one new item unless `items` are given."""
    envelopes, scopes, level = SCOPE_LEVELS[signal]
    result = REQUESTS[signal]()
    envelope = getattr(result, envelopes).add()
    if resource is None:
        envelope.resource.attributes.append(attribute("service.name", "integration"))
    else:
        envelope.resource.CopyFrom(resource)
    inner = getattr(envelope, scopes).add()
    if scope is None:
        inner.scope.name = "test"
    else:
        inner.scope.CopyFrom(scope)
    getattr(inner, level).extend(items if items is not None else [ITEMS[signal]()])
    return result


def nested(depth, leaf=None):
    """An AnyValue of `depth` levels: lists around a leaf, which is the innermost level."""
    value = leaf or AnyValue(int_value=1)
    for _ in range(depth - 1):
        outer = AnyValue()
        outer.array_value.values.append(value)
        value = outer
    return value


# Wire bytes by hand, for what protobuf libraries refuse to write.

def varint(value):
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(result) + bytes([value])


def length_delimited(field_number, content):
    return varint(field_number << 3 | 2) + varint(len(content)) + content


def nested_wire(depth):
    """AnyValue bytes of `depth` levels, in linear time and without recursion: prefixes are made from within."""
    leaf = b"\x18\x01"  # int_value: 1
    prefixes, size_bytes = [], len(leaf)
    for _ in range(depth - 1):
        inner = b"\x0a" + varint(size_bytes)  # ArrayValue.values
        outer = b"\x2a" + varint(size_bytes + len(inner))  # AnyValue.array_value
        prefixes.append(outer + inner)
        size_bytes += len(outer) + len(inner)
    return b"".join(reversed(prefixes)) + leaf


PLACEHOLDER = "@PLACEHOLDER@"


def with_bytes(message, content):
    """The serialized message, with `content` (of any bytes) where a string was PLACEHOLDER.

    `content` is filled up to the placeholder's length, so that no length prefix changes.
    """
    assert len(content) <= len(PLACEHOLDER)
    wire = message.SerializeToString()
    assert wire.count(PLACEHOLDER.encode()) == 1
    return wire.replace(PLACEHOLDER.encode(), content.ljust(len(PLACEHOLDER), b"x"))
