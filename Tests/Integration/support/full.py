# SPDX-License-Identifier: Apache-2.0
"""Requests in which every field of every OTLP message is set, to values that are easy to lose."""

import math

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from support.otlp import BASE_NS, any_of, attribute, log_record, nested, request, span, trace_id, unique
from support.otlp import span_id as span_id_of

U32_MAX, U64_MAX, I64_MAX, I64_MIN = 2**32 - 1, 2**64 - 1, 2**63 - 1, -2**63
I32_MIN, I32_MAX = -2**31, 2**31 - 1
DENORMAL, DOUBLE_MAX = 5e-324, 1.7976931348623157e308
TEXT = "Grüße 世界 🌍\u0301 \"quoted\" \\ /\b\f\n\r\t\x01\x1f\x7f\u2028 $%"
DOUBLES = [0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 5.0, 1e-6, 9.99e-7, 1e16, 123456789012345680.0, 9.9e16, 1e17, 1e21, 1e22,
           2.0**53, 2.0**63, DENORMAL, -DENORMAL, 2.2250738585072014e-308, DOUBLE_MAX, -DOUBLE_MAX,
           math.inf, -math.inf, math.nan]
INTEGERS = [0, 1, -1, 255, 2**31 - 1, 2**31, -2**31, 2**53 + 1, I64_MAX, I64_MIN]


def kvlist(*pairs):
    value = AnyValue()
    value.kvlist_value.SetInParent()
    value.kvlist_value.values.extend(pairs)
    return value


def array(*values):
    value = AnyValue()
    value.array_value.SetInParent()
    value.array_value.values.extend(values)
    return value


def all_attributes():
    """All seven kinds of AnyValue and none, extremes, and nesting of each kind in each."""
    pairs = [attribute("text", TEXT), attribute("empty.text", ""), attribute("", "empty key"),
             attribute("ключ 🔑", "unicode key"), attribute('"\\\n', "key that must be escaped"),
             attribute("true", True), attribute("false", False),
             attribute("bytes", bytes(range(256))), attribute("empty.bytes", b""), attribute("one.byte", b"\xff"),
             attribute("k" * 513, "a key over 512 bytes"), attribute("k" * 512, "a key of 512 bytes"),
             attribute("long", "x" * 20_000),
             KeyValue(key="no.value"), attribute("empty.value", AnyValue()),
             attribute("empty.array", array()), attribute("empty.kvlist", kvlist())]
    pairs += [attribute(f"double.{index}", value) for index, value in enumerate(DOUBLES)]
    pairs += [attribute(f"int.{index}", value) for index, value in enumerate(INTEGERS)]
    scalars = [any_of(value) for value in (TEXT, True, False, 7, 0.5, 5.0, -0.0, math.nan, b"\x00\xff")]
    inner = kvlist(*[attribute(f"k{index}", value) for index, value in enumerate(scalars)],
                   attribute("none", AnyValue()), attribute("list", array(*scalars)))
    pairs += [attribute("array", array(*scalars, AnyValue(), array(), array(array(*scalars)), kvlist(), inner)),
              attribute("kvlist", inner), attribute("deep", nested(30)),
              attribute("same.twice", "first"), attribute("same.twice", 2)]
    return pairs + dollar_attributes()


def dollar_attributes():
    """What could be taken for a tagged value in jsonb."""
    lone = [kvlist(attribute("$double", "NaN")), kvlist(attribute("$bytes", "AA==")),
            kvlist(attribute("$kvlist", kvlist(attribute("$kvlist", 1)))), kvlist(attribute("$", 1)),
            kvlist(attribute("$other", AnyValue())), kvlist(attribute("$double", 1), attribute("$double", "again")),
            kvlist(attribute("$double", "NaN"), attribute("other", 1))]
    return [attribute(f"dollar.{index}", value) for index, value in enumerate(lone)] + [
        attribute("dollar.array", array(*lone)), attribute("$double", "NaN")]


def resource():
    result = Resource(attributes=[attribute("service.name", "full"), *all_attributes()],
                      dropped_attributes_count=U32_MAX)
    result.entity_refs.add(schema_url="https://example.org/é", type="service", id_keys=["service.name", "é"],
                           description_keys=["description"])
    result.entity_refs.add(type="host")
    return result


def scope():
    return InstrumentationScope(name="scope ✓", version="1.0-β", attributes=all_attributes(),
                                dropped_attributes_count=2**31)


def envelope(signal, items):
    result = request(signal, items, resource(), scope())
    outer = next(value for _, value in result.ListFields())[0]
    outer.schema_url = "https://example.org/resource/1.0"
    next(value for field, value in outer.ListFields() if field.name.startswith("scope_"))[0].schema_url = (
        "https://example.org/scope/1.0")
    return result


def traces():
    full = span(trace_state="a=1,b=é", parent_span_id=b"\xff" * 8, name=TEXT, kind=5, attributes=all_attributes(),
                dropped_attributes_count=U32_MAX, dropped_events_count=U32_MAX - 1, dropped_links_count=2**31,
                flags=U32_MAX, trace_id=b"\xff" * 16, span_id=b"\x80" + bytes(7), end_time_unix_nano=I64_MAX)
    full.status.code, full.status.message = 2, TEXT
    full.events.add(time_unix_nano=U64_MAX, name=TEXT, attributes=all_attributes(), dropped_attributes_count=U32_MAX)
    full.events.add()
    full.links.add(trace_id=trace_id(1), span_id=span_id_of(1), trace_state=TEXT, attributes=all_attributes(),
                   dropped_attributes_count=U32_MAX, flags=U32_MAX)
    full.links.add()
    full.links.add(trace_id=b"\x01\x02", span_id=b"\x03" * 20)
    bare = span(name="", end_time_unix_nano=0)
    empty_status = span(name="x" * 10_000)  # too long for a dictionary: stands on the row
    empty_status.status.SetInParent()
    message_only = span(kind=-1, parent_span_id=bytes(8))
    message_only.status.message = "no code"
    unknown = span(kind=I32_MAX, name="unknown numbers")
    unknown.status.code = 77
    return envelope("traces", [full, bare, empty_status, message_only, unknown])


def logs():
    full = log_record(severity_number=24, severity_text=TEXT, attributes=all_attributes(), flags=U32_MAX,
                      dropped_attributes_count=U32_MAX, trace_id=b"\xff" * 16, span_id=b"\xff" * 8,
                      event_name=TEXT, observed_time_unix_nano=I64_MAX, body=AnyValue(string_value=TEXT))
    bodies = [any_of(value) for value in ("", True, False, b"", b"\xff", *DOUBLES, *INTEGERS)]
    bodies += [AnyValue(), array(), kvlist(), array(AnyValue()), kvlist(*all_attributes()), nested(30)]
    bodies += [pair.value for pair in dollar_attributes()]
    return envelope("logs", [
        full, *(log_record(body=body) for body in bodies), log_record(body=None),
        log_record(severity_number=I32_MAX), log_record(severity_number=I32_MIN),
        log_record(trace_id=b"\x01" * 15, span_id=b"\x01" * 9), log_record(trace_id=bytes(16), span_id=bytes(8)),
        log_record(trace_id=trace_id(7)), log_record(span_id=span_id_of(7)), log_record(observed_time_unix_nano=0)])


def point(**fields):
    return {"time_unix_nano": BASE_NS + unique(), "start_time_unix_nano": BASE_NS, "flags": U32_MAX,
            "attributes": all_attributes()} | fields


def exemplars():
    """Keyword arguments of Exemplar messages: both values, none, zero, and all fields."""
    return [{"time_unix_nano": U64_MAX, "as_double": -0.0, "trace_id": trace_id(1), "span_id": span_id_of(1),
             "filtered_attributes": all_attributes()},
            {"as_int": I64_MIN}, {"as_int": 0}, {"as_double": 0.0}, {"as_double": math.nan},
            {"trace_id": b"\x01", "span_id": b"\x02\x03"}, {}]


def number_metrics():
    values = [{"as_int": value} for value in INTEGERS] + [{"as_double": value} for value in DOUBLES] + [{}]
    gauge = Metric(name=TEXT, unit="µs", description=TEXT, metadata=all_attributes())
    gauge.gauge.data_points.add(**point(as_double=1.5, exemplars=exemplars()))
    for value in values:
        gauge.gauge.data_points.add(time_unix_nano=BASE_NS + unique(), **value)
    result = [gauge]
    for temporality in (0, 1, 2, 77):
        for is_monotonic in (False, True):
            total = Metric(name=f"sum.{temporality}")
            total.sum.aggregation_temporality, total.sum.is_monotonic = temporality, is_monotonic
            total.sum.data_points.add(**point(as_int=I64_MAX, start_time_unix_nano=I64_MAX))
            result.append(total)
    nameless = Metric()
    nameless.gauge.data_points.add(time_unix_nano=BASE_NS)
    return [*result, nameless]


def histogram_metric():
    metric = Metric(name="histogram", unit="ms")
    metric.histogram.aggregation_temporality = 1
    points = metric.histogram.data_points
    points.add(**point(count=U64_MAX, sum=-0.0, min=-math.inf, max=math.inf, bucket_counts=[0, U64_MAX, 1],
                       explicit_bounds=[-DOUBLE_MAX, DENORMAL], exemplars=exemplars()))
    points.add(time_unix_nano=BASE_NS + unique(), sum=0.0, min=0.0, max=0.0)
    points.add(time_unix_nano=BASE_NS + unique(), count=2, bucket_counts=[2])
    points.add(time_unix_nano=BASE_NS + unique(), sum=math.nan, explicit_bounds=[1.0, math.inf, math.nan])
    points.add(time_unix_nano=BASE_NS + unique())
    return metric


def exponential_metric():
    metric = Metric(name="exponential")
    metric.exponential_histogram.aggregation_temporality = 2
    points = metric.exponential_histogram.data_points
    points.add(**point(count=U64_MAX, sum=DOUBLE_MAX, min=DENORMAL, max=math.nan, scale=I32_MIN, zero_count=U64_MAX,
                       zero_threshold=1e-300, exemplars=exemplars(),
                       positive={"offset": I32_MIN, "bucket_counts": [U64_MAX, 0, 1]},
                       negative={"offset": I32_MAX, "bucket_counts": [1]}))
    points.add(time_unix_nano=BASE_NS + unique(), scale=20, sum=0.0, positive={}, negative={"offset": 0})
    points.add(time_unix_nano=BASE_NS + unique(), scale=-10, positive={"offset": -1}, zero_threshold=-0.0)
    points.add(time_unix_nano=BASE_NS + unique())
    return metric


def summary_metric():
    metric = Metric(name="summary")
    points = metric.summary.data_points
    points.add(**point(count=U64_MAX, sum=-0.0, quantile_values=[
        {"quantile": 0.0, "value": -math.inf}, {"quantile": 0.5, "value": math.nan},
        {"quantile": 1.0, "value": DOUBLE_MAX}, {}]))
    points.add(time_unix_nano=BASE_NS + unique(), sum=math.inf)
    points.add(time_unix_nano=BASE_NS + unique())
    return metric


def metrics():
    return envelope("metrics", [*number_metrics(), histogram_metric(), exponential_metric(), summary_metric()])


FULL = {"traces": traces, "logs": logs, "metrics": metrics}
