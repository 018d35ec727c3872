# SPDX-License-Identifier: Apache-2.0
"""Random requests from a seed: shapes that nobody thought of writing by hand."""

import math
import struct

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.otlp import BASE_NS, MINUTE_NS, REQUESTS, SCOPE_LEVELS

ALPHABETS = ["abc.", "aA0_-", "äß✓世🌍\U0010ffff", "\x01\x08\t\n\x1f\x7f\"\\/", "$", " {}[]:,'",
             "\u0301\u202e\ufeff"]
KEYS = ["service.name", "$double", "$bytes", "$kvlist", "", "a", "b", "a.b"]
U32_EDGES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]
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
        if self.chance(0.02):
            size_max = 3000
        alphabet = self.random.choice(ALPHABETS)
        return "".join(self.random.choices(alphabet, k=self.random.randint(0, size_max)))

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
        return math.nan if math.isnan(value) else value  # PostgreSQL keeps one NaN only

    def time(self):
        return BASE_NS - self.random.randrange(20 * MINUTE_NS)

    def identifier(self, size_bytes):
        return self.random.randbytes(size_bytes - 1) + b"\x01"

    def loose_identifier(self, size_bytes):
        """Valid, absent, or of any length."""
        return self.random.choice([self.identifier(size_bytes), b"", bytes(size_bytes),
                                   self.random.randbytes(self.random.randint(0, 20))])

    def value(self, depth=0):
        value = AnyValue()
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
        key = self.random.choice(KEYS) if self.chance(0.4) else self.text()
        return KeyValue(key=key) if self.chance(0.03) else KeyValue(key=key, value=self.value(depth))

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
            result.time_unix_nano, result.observed_time_unix_nano = 0, self.time()
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
        make = {"traces": self.span, "logs": self.log_record, "metrics": self.metric}[signal]
        result = REQUESTS[signal]()
        for _ in range(self.random.randint(1, 3)):
            envelope = getattr(result, envelopes).add(schema_url=self.text())
            if self.chance(0.9):
                envelope.resource.CopyFrom(self.resource())
            for _ in range(self.random.randint(0, 2)):
                scope = getattr(envelope, scopes).add(schema_url=self.text())
                if self.chance(0.9):
                    scope.scope.CopyFrom(self.scope())
                getattr(scope, items).extend(self.several(make, 4))
        return result
