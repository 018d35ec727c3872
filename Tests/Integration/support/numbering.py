# SPDX-License-Identifier: Apache-2.0
"""Telemetry in which every item has a number of its own, and the SQL that finds the numbers again.

A span carries its number as span id, a log record as body, a data point as value; no two items of a run
share one, whatever their signal. The numbers of one request follow one another.
"""

import struct

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support import otlp

# Added to the number of an item that the database is made to refuse, see `refuse_poison`.
POISON = 1 << 60

TABLES = {"traces": "otel_spans_fact", "logs": "otel_logs_fact", "metrics": "otel_metrics_data_points_number"}
NUMBERS = {"traces": "span_id", "logs": "body_text::bigint", "metrics": "value_int"}
# Series, operations and severities are shared by many items, as they are in life.
SERIES_COUNT = 20


def request_bytes(signal, first, count, base_ns, poison=(), padding=""):
    """An Export request of the items `first` to `first + count - 1`; those in `poison` are refused."""
    numbers = [number + POISON if number in poison else number for number in range(first, first + count)]
    return otlp.request(signal, MAKERS[signal](numbers, base_ns, padding)).SerializeToString()


def spans(numbers, base_ns, padding):
    return [Span(trace_id=otlp.trace_id(number // 8), span_id=struct.pack(">Q", number),
                 name=f"operation {number % SERIES_COUNT}", start_time_unix_nano=moment(number, base_ns),
                 end_time_unix_nano=moment(number, base_ns) + 1000,
                 attributes=otlp.attributes(number=number, http__request__method="GET", padding=padding))
            for number in numbers]


def log_records(numbers, base_ns, padding):
    return [LogRecord(time_unix_nano=moment(number, base_ns), severity_number=1 + number % 24,
                      body=AnyValue(string_value=str(number)), attributes=otlp.attributes(padding=padding))
            for number in numbers]


def metrics(numbers, base_ns, padding):
    metric = Metric(name="fault.gauge")
    for number in numbers:
        metric.gauge.data_points.add(time_unix_nano=moment(number, base_ns), as_int=number,
                                     attributes=otlp.attributes(series=number % SERIES_COUNT, padding=padding))
    return [metric]


MAKERS = {"traces": spans, "logs": log_records, "metrics": metrics}


def moment(number, base_ns):
    """Spread over a second, so that items do not walk from one partition into the next."""
    return base_ns + number % 1_000_000 * 1000


def refuse_poison(connection):
    """Makes PostgreSQL refuse every item whose number is POISON or more, with a constraint as poison has it."""
    for signal, table in TABLES.items():
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT no_poison CHECK ({NUMBERS[signal]} < {POISON})")


def numbers_in(signal, wire):
    """The numbers of the items of an Export request."""
    request = otlp.REQUESTS[signal].FromString(wire)
    envelopes, scopes, level = otlp.SCOPE_LEVELS[signal]
    items = [item for envelope in getattr(request, envelopes) for scope in getattr(envelope, scopes)
             for item in getattr(scope, level)]
    if signal == "traces":
        return [struct.unpack(">Q", span.span_id)[0] for span in items]
    if signal == "logs":
        return [int(record.body.string_value) for record in items]
    return [point.as_int for metric in items for point in metric.gauge.data_points]


def stored_query(more_tables=()):
    """SQL: (signal, number) of every stored item. `more_tables`: (signal, table) of further fact tables."""
    tables = [*TABLES.items(), *more_tables]
    return " UNION ALL ".join(f"SELECT '{signal}' AS signal, {NUMBERS[signal]} AS number FROM {table}"
                              for signal, table in tables)
