# SPDX-License-Identifier: Apache-2.0
"""Random requests from a seed: shapes that nobody thought of writing by hand."""

import math
import struct

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.otlp import BASE_NS, MINUTE_NS, REQUESTS, SCOPE_LEVELS, nested, varint

ALPHABETS = ["abc.", "aA0_-", "äß✓世🌍\U0010ffff", "\x01\x08\t\n\x1f\x7f\"\\/", "$", " {}[]:,'",
             "\u0301\u202e\ufeff",
             "e\u0301\U0001f469\u200d\U0001f680\U00020000", "\ud7ff\ue000\ufffd\uffff\u2028", "é\u0301a\U0001d11e "]
KEYS = ["service.name", "$double", "$bytes", "$kvlist", "", "a", "b", "a.b"]
# Some attributes that have columns of their own, and some whose column is of the other of two types.
PROMOTED = {"spans": [("http.request.method", "string"), ("db.query.text", "string"), ("error.type", "string"),
                      ("http.response.status_code", "int"), ("server.port", "int"), ("http.request.size", "int"),
                      ("http.request.size", "double"), ("gen_ai.request.temperature", "double")],
            "logs": [("exception.stacktrace", "string"), ("http.route", "string"), ("log.line", "int"),
                     ("thread.id", "int")]}
# What the tests promote themselves, because no attribute of these types is promoted by default.
PROMOTED_BY_TEST = {"spans": [("random.bool", "bool"), ("random.bytes", "bytes"), ("a", "string")],
                    "logs": [("random.bool", "bool"), ("random.bytes", "bytes"), ("random.double", "double")]}
PROMOTED_KEYS = sorted({key for promoted in (PROMOTED, PROMOTED_BY_TEST)
                        for pairs in promoted.values() for key, _ in pairs})
LONG_SIZES = [513, 3000, 9000]  # beyond a key's bound, a B-tree entry's, a page's
DEPTH_MAX = 40
UNKNOWN_FIELD = varint(1000 << 3) + varint(7)  # a field that no version of OTLP has
U32_EDGES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]
DAY_NS = 24 * 60 * MINUTE_NS
U64_EDGES = [0, 1, 2**63 - 1, 2**63, 2**64 - 1]
I64_EDGES = [0, 1, -1, 2**63 - 1, -2**63]
I32_EDGES = [0, 1, -1, 2**31 - 1, -2**31]
DOUBLE_EDGES = [0.0, -0.0, 1.0, 1e17, 1e-6, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]


class Maker:
    """Draws everything from one random.Random."""

    def __init__(self, random):
        self.random = random

    def chance(self, probability):
        return self.random.random() < probability

    def several(self, make, count_max=3):
        return [make() for _ in range(self.random.randint(0, count_max))]

    def text(self, size_max=12):
        alphabet = self.random.choice(ALPHABETS)
        size = self.random.choice(LONG_SIZES) if self.chance(0.005) else self.random.randint(0, size_max)
        return "".join(self.random.choices(alphabet, k=size))

    def u32(self):
        return self.random.choice(U32_EDGES) if self.chance(0.5) else self.random.getrandbits(32)

    def u64(self):
        return self.random.choice(U64_EDGES) if self.chance(0.5) else self.random.getrandbits(64)

    def i32(self):
        return self.random.choice(I32_EDGES) if self.chance(0.5) else self.random.getrandbits(32) - 2**31

    def i64(self):
        return self.random.choice(I64_EDGES) if self.chance(0.5) else self.random.getrandbits(64) - 2**63

    def double(self):
        kind = self.random.randrange(3)
        if kind == 0:
            return self.random.choice(DOUBLE_EDGES)
        if kind == 1:
            return round(self.random.uniform(-1e6, 1e6), self.random.randint(0, 9))
        (value,) = struct.unpack("<d", self.random.randbytes(8))
        return value

    def time(self):
        """Mostly around now, at times some days ago."""
        days = self.random.choice([1, 2, 5]) if self.chance(0.05) else 0
        return BASE_NS - days * DAY_NS - self.random.randrange(20 * MINUTE_NS)

    def identifier(self, size_bytes):
        return self.random.randbytes(size_bytes - 1) + b"\x01"

    def loose_identifier(self, size_bytes):
        """Valid, absent, or of any length."""
        return self.random.choice([self.identifier(size_bytes), b"", bytes(size_bytes),
                                   self.random.randbytes(self.random.randint(0, 20))])

    def value(self, depth=0):
        value = AnyValue()
        if depth == 0 and self.chance(0.01):
            return nested(self.random.randint(2, DEPTH_MAX), self.value(5))
        kind = self.random.randrange(8 if depth < 4 else 6)
        if kind == 1:
            value.string_value = self.text(40)
        elif kind == 2:
            value.bool_value = self.chance(0.5)
        elif kind == 3:
            value.int_value = self.i64()
        elif kind == 4:
            value.double_value = self.double()
        elif kind == 5:
            value.bytes_value = self.random.randbytes(self.random.randint(0, 9))
        elif kind == 6:
            value.array_value.SetInParent()
            value.array_value.values.extend(self.several(lambda: self.value(depth + 1)))
        elif kind == 7:
            value.kvlist_value.SetInParent()
            value.kvlist_value.values.extend(self.several(lambda: self.pair(depth + 1)))
        return value

    def pair(self, depth=0):
        kind = self.random.random()
        key = self.random.choice(PROMOTED_KEYS if kind < 0.2 else KEYS) if kind < 0.5 else self.text()
        result = KeyValue(key=key) if self.chance(0.03) else KeyValue(key=key, value=self.value(depth))
        if self.chance(0.01):  # means something in profiles only
            result.key_strindex = self.i32()
            result.value.CopyFrom(AnyValue(string_value_strindex=self.i32()))
        return result

    def strange(self, message):
        """At times with a field that OTLP does not have."""
        if self.chance(0.03):
            message.MergeFromString(UNKNOWN_FIELD)
        return message

    def twin(self, message):
        """A copy that differs in very little, which must not be taken for the same."""
        copy = type(message)()
        copy.CopyFrom(message)
        pairs = [pair for pair in copy.attributes if pair.key]
        if not pairs:
            copy.attributes.add(key=self.text(), value=self.value())
            return copy
        pair = self.random.choice(pairs)
        kind, value = pair.value.WhichOneof("value"), pair.value
        if kind == "string_value":  # the same letters, cut elsewhere; or the same bytes
            if self.chance(0.5):
                pair.key, value.string_value = pair.key[:-1], pair.key[-1] + value.string_value
            else:
                value.bytes_value = value.string_value.encode()
        elif kind == "bytes_value":
            value.string_value = value.bytes_value.hex()
        elif kind == "int_value":
            value.double_value = float(value.int_value)
        elif kind == "double_value":
            value.double_value = -value.double_value
        elif kind == "bool_value":
            value.int_value = int(value.bool_value)
        elif kind == "array_value":
            value.array_value.values.add()
        else:
            value.string_value = ""
        return copy

    def attributes(self):
        return self.several(self.pair, 5)

    def resource(self):
        result = Resource(attributes=self.attributes(), dropped_attributes_count=self.u32() if self.chance(0.3) else 0)
        for _ in range(self.random.choice([0, 0, 2])):
            result.entity_refs.add(schema_url=self.text(), type=self.text(), id_keys=self.several(self.text),
                                   description_keys=self.several(self.text))
        return result

    def scope(self):
        return InstrumentationScope(name=self.text(), version=self.text(), attributes=self.attributes(),
                                    dropped_attributes_count=self.u32() if self.chance(0.3) else 0)

    def span(self):
        start = self.time()
        result = Span(
            trace_id=self.identifier(16), span_id=self.identifier(8), trace_state=self.text(),
            parent_span_id=self.random.choice([b"", bytes(8), self.identifier(8)]), name=self.text(),
            kind=self.random.choice([*range(6), self.i32()]), start_time_unix_nano=start,
            end_time_unix_nano=self.random.choice([start + self.random.getrandbits(30), 0, 2**63 - 1]),
            attributes=self.attributes(), flags=self.u32(), dropped_attributes_count=self.u32(),
            dropped_events_count=self.u32(), dropped_links_count=self.u32())
        for _ in range(self.random.randint(0, 2)):
            result.events.add(time_unix_nano=self.u64(), name=self.text(), attributes=self.attributes(),
                              dropped_attributes_count=self.u32())
            result.links.add(trace_id=self.loose_identifier(16), span_id=self.loose_identifier(8),
                             trace_state=self.text(), attributes=self.attributes(), flags=self.u32(),
                             dropped_attributes_count=self.u32())
        if self.chance(0.7):
            result.status.SetInParent()
            result.status.code = self.random.choice([0, 1, 2, self.i32()])
            result.status.message = self.text()
        return result

    def log_record(self):
        result = LogRecord(
            time_unix_nano=self.time(), observed_time_unix_nano=self.random.choice([0, self.time(), 2**63 - 1]),
            severity_number=self.random.choice([*range(25), self.i32()]), severity_text=self.text(),
            attributes=self.attributes(), dropped_attributes_count=self.u32(), flags=self.u32(),
            trace_id=self.loose_identifier(16), span_id=self.loose_identifier(8), event_name=self.text())
        if self.chance(0.2):
            result.time_unix_nano, result.observed_time_unix_nano = 0, self.random.choice([0, self.time()])
        if self.chance(0.9):
            result.body.CopyFrom(self.value())
        return result

    def exemplar(self):
        return {"time_unix_nano": self.u64(), "trace_id": self.loose_identifier(16),
                "span_id": self.loose_identifier(8), "filtered_attributes": self.attributes()} | self.number()

    def number(self):
        return self.random.choice([{"as_int": self.i64()}, {"as_double": self.double()}, {}])

    def point(self):
        return {"time_unix_nano": self.time(), "start_time_unix_nano": self.random.choice([0, self.time(), 2**63 - 1]),
                "flags": self.u32(), "attributes": self.attributes()}

    def optional_doubles(self):
        return {name: self.double() for name in ("sum", "min", "max") if self.chance(0.6)}

    def buckets(self):
        return {"offset": self.i32(), "bucket_counts": self.several(self.u64, 5)}

    def metric(self):
        result = Metric(name=self.text(), description=self.text(), unit=self.text(), metadata=self.attributes())
        if self.chance(0.02):
            return result
        kind = self.random.choice(["gauge", "sum", "histogram", "exponential_histogram", "summary"])
        data = getattr(result, kind)
        data.SetInParent()
        if kind not in ("gauge", "summary"):
            data.aggregation_temporality = self.random.choice([0, 1, 2, self.i32()])
        if kind == "sum":
            data.is_monotonic = self.chance(0.5)
        for _ in range(self.random.randint(0, 3)):
            data.data_points.add(**self.point(), **getattr(self, f"{kind}_fields")())
        return result

    def gauge_fields(self):
        return self.number() | {"exemplars": self.several(self.exemplar, 2)}

    sum_fields = gauge_fields

    def histogram_fields(self):
        return self.optional_doubles() | {
            "count": self.u64(), "bucket_counts": self.several(self.u64, 6),
            "explicit_bounds": self.several(self.double, 5), "exemplars": self.several(self.exemplar, 2)}

    def exponential_histogram_fields(self):
        sides = {side: self.buckets() for side in ("positive", "negative") if self.chance(0.7)}
        return self.optional_doubles() | sides | {
            "count": self.u64(), "zero_count": self.u64(), "scale": self.i32(), "zero_threshold": self.double(),
            "exemplars": self.several(self.exemplar, 2)}

    def summary_fields(self):
        return {"count": self.u64(), "sum": self.double(), "quantile_values": self.several(
            lambda: {"quantile": self.double(), "value": self.double()}, 4)}

    def request(self, signal):
        envelopes, scopes, items = SCOPE_LEVELS[signal]
        result = REQUESTS[signal]()
        resource, scope = self.resource(), self.scope()
        for _ in range(self.random.randint(1, 3)):
            envelope = getattr(result, envelopes).add(schema_url=self.text())
            if self.chance(0.9):
                resource = self.twin(resource) if self.chance(0.3) else self.resource()
                envelope.resource.CopyFrom(self.strange(resource))
            for _ in range(self.random.randint(0, 2)):
                inner = getattr(envelope, scopes).add(schema_url=self.text())
                if self.chance(0.9):
                    scope = self.twin(scope) if self.chance(0.3) else self.scope()
                    inner.scope.CopyFrom(self.strange(scope))
                getattr(inner, items).extend(self.several(lambda: self.item(signal), 4))
                if signal == "metrics":
                    self.add_twin_points(inner.metrics)
        return self.strange(result)

    def item(self, signal):
        return self.strange({"traces": self.span, "logs": self.log_record, "metrics": self.metric}[signal]())

    def add_twin_points(self, metrics):
        """Points of series that are almost the same."""
        for metric in metrics:
            kind = metric.WhichOneof("data")
            points = getattr(metric, kind).data_points if kind else []
            if points and self.chance(0.2):
                points.append(self.twin(points[-1]))
