# SPDX-License-Identifier: Apache-2.0
"""The normal form in which a request that was sent and one that was rebuilt from rows are equal.

It takes out exactly what docs/schema.md lists under "What is normalised", and nothing else: the order of
attributes and of items, how items were grouped into envelopes and points into metrics, envelopes and metrics
that hold nothing, the difference between an absent and an empty Resource, InstrumentationScope or attribute
value, all but the last of repeated keys, which of its many bit patterns a NaN has, parent ids of zeros, invalid
trace context of log records, fields that only profiles may use, and fields that are not in OTLP.
"""

from collections import Counter
import math

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

# Request type -> names of its envelopes, of the scopes in them, of the items in those.
LEVELS = {
    ExportTraceServiceRequest: ("resource_spans", "scope_spans", "spans"),
    ExportLogsServiceRequest: ("resource_logs", "scope_logs", "log_records"),
    ExportMetricsServiceRequest: ("resource_metrics", "scope_metrics", "metrics"),
}


def owner_and_pieces(request):
    """(owner, items) per scope of the request: both packed, a metric as one metric per point.

    An owner is resource, its schema URL, scope, its schema URL.
    """
    envelopes, scopes, items = LEVELS[type(request)]
    for envelope in getattr(request, envelopes):
        resource = packed(envelope.resource)
        for scope in getattr(envelope, scopes):
            yield ((resource, envelope.schema_url, packed(scope.scope), scope.schema_url),
                   [packed(part) for item in getattr(scope, items) for part in parts(item)])


def pieces(request):
    """How often each (owner, item) is in the request: two requests are the same when these are."""
    return Counter((owner, item) for owner, items in owner_and_pieces(request) for item in items)


def from_piece(kind, piece):
    """A request of one item."""
    (resource, resource_schema, scope, scope_schema), item = piece
    envelopes, scopes, items = LEVELS[kind]
    result = kind()
    envelope = getattr(result, envelopes).add(schema_url=resource_schema)
    envelope.resource.ParseFromString(resource)
    inner = getattr(envelope, scopes).add(schema_url=scope_schema)
    inner.scope.ParseFromString(scope)
    getattr(inner, items).add().ParseFromString(item)
    return result


def normal(request):
    """A new request: one envelope per distinct resource and scope, everything in one order."""
    kind = type(request)
    envelopes, scopes, items = LEVELS[kind]
    groups = {}
    for owner, found in owner_and_pieces(request):
        groups.setdefault(owner, []).extend(found)
    result = kind()
    place = {}
    for owner in sorted(groups):
        resource, resource_schema, scope, scope_schema = owner
        if not groups[owner]:
            continue
        if (resource, resource_schema) not in place:
            envelope = getattr(result, envelopes).add(schema_url=resource_schema)
            envelope.resource.ParseFromString(resource)
            envelope.resource.SetInParent()
            place[resource, resource_schema] = envelope
        inner = getattr(place[resource, resource_schema], scopes).add(schema_url=scope_schema)
        inner.scope.ParseFromString(scope)
        inner.scope.SetInParent()
        for item in merged(groups[owner], items):
            getattr(inner, items).add().ParseFromString(item)
    return result


def merge(requests):
    """One request with the envelopes of several of the same kind."""
    requests = list(requests)
    result = type(requests[0])()
    for request in requests:
        result.MergeFrom(request)
    return result


def assert_same(sent, rebuilt):
    """Compares by bytes (NaN equals NaN, -0.0 differs from 0.0) and shows the difference as text."""
    sent, rebuilt = normal(sent), normal(rebuilt)
    if sent.SerializeToString(deterministic=True) != rebuilt.SerializeToString(deterministic=True):
        assert text_format.MessageToString(rebuilt) == text_format.MessageToString(sent)
        raise AssertionError(f"differ in bytes but not in text:\n{text_format.MessageToString(sent)}")


def packed(message):
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    normalise(copy)
    return copy.SerializeToString(deterministic=True)


def parts(item):
    """A metric as one metric per point, so that points are grouped anew; other items as they are."""
    if not isinstance(item, Metric):
        yield item
        return
    kind = item.WhichOneof("data")
    if kind is None:
        return
    part = Metric()
    part.CopyFrom(item)
    data = getattr(part, kind)
    del data.data_points[:]
    for point in getattr(item, kind).data_points:
        data.data_points.add().CopyFrom(point)
        yield part
        del data.data_points[:]


def merged(items, level):
    """Sorted serialized items; metrics of the same identity become one metric with sorted points."""
    if level != "metrics":
        return sorted(items)
    points = {}
    for item in items:
        metric = Metric.FromString(item)
        data = getattr(metric, metric.WhichOneof("data"))
        (point,) = data.data_points
        del data.data_points[:]
        data.SetInParent()
        points.setdefault(metric.SerializeToString(deterministic=True), []).append(
            (point.SerializeToString(deterministic=True)))
    result = []
    for identity in sorted(points):
        metric = Metric.FromString(identity)
        data = getattr(metric, metric.WhichOneof("data"))
        for point in sorted(points[identity]):
            data.data_points.add().ParseFromString(point)
        result.append(metric.SerializeToString(deterministic=True))
    return result


def normalise(message):
    """In place, depth first."""
    if isinstance(message, AnyValue) and message.WhichOneof("value") == "string_value_strindex":
        message.ClearField("string_value_strindex")
    if isinstance(message, KeyValue):
        message.ClearField("key_strindex")
        message.value.SetInParent()
    if isinstance(message, Span) and not any(message.parent_span_id):
        message.parent_span_id = b""
    if isinstance(message, LogRecord):
        if not is_valid_id(message.trace_id, 16):
            message.trace_id = b""
        if not is_valid_id(message.span_id, 8):
            message.span_id = b""
    for field, value in message.ListFields():
        if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
            normalise_nan(message, field, value)
        if field.message_type is None:
            continue
        if not field.is_repeated:
            normalise(value)
            continue
        for element in value:
            normalise(element)
        if field.message_type is KeyValue.DESCRIPTOR:
            last = {pair.key: pair for pair in value}
            pairs = [last[key] for key in sorted(last)]
            copies = [KeyValue.FromString(pair.SerializeToString()) for pair in pairs]
            del value[:]
            value.extend(copies)


def normalise_nan(message, field, value):
    if field.is_repeated:
        value[:] = [math.nan if math.isnan(element) else element for element in value]
    elif math.isnan(value):
        setattr(message, field.name, math.nan)


def is_valid_id(value, size_bytes):
    return len(value) == size_bytes and any(value)
