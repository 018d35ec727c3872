# SPDX-License-Identifier: Apache-2.0
"""Spans from the OpenTelemetry SDK, compared with the database value by value."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
import pytest

from support import rebuild
from support.normal import assert_same, merge
from support.sdk import COMPRESSIONS, SpanExporter, resource

VALUES = {
    "text": "Grüße, 世界 🌍", "empty": "", "quoted": 'a "b" \\ c\n\t\x01', "int": 42, "negative": -1,
    "int.max": 2**63 - 1, "int.min": -2**63, "double": 0.1, "whole": 5.0, "tiny": 5e-324,
    "huge": 1.7976931348623157e308, "nan": float("nan"), "infinite": float("inf"), "negative.zero": -0.0,
    "true": True, "false": False,
    "texts": ["a", "", "ü"], "ints": [1, -2], "doubles": [0.5, float("-inf")], "bools": [True, False], "none": [],
    "bytes": b"\x00\xff",
}


@pytest.fixture
def traced(starling, request):
    """A provider whose exporter remembers; a batch processor, as in production."""
    exporters = []

    def make(processor=BatchSpanProcessor, **options):
        exporter = SpanExporter(starling, **options)
        provider = TracerProvider(resource=resource(request.node.name), shutdown_on_exit=False)
        provider.add_span_processor(processor(exporter))
        exporters.append(provider)
        return provider, exporter

    yield make
    for provider in exporters:
        provider.shutdown()


def remote_context(number):
    return SpanContext(trace_id=0xABCDEF0123456789ABCDEF0123456789 + number, span_id=0xFEDCBA9876543210 + number,
                       is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "opaque")]))


@COMPRESSIONS
def test_everything_that_a_span_carries(traced, db, compression):
    provider, exporter = traced(compression=compression)
    tracer = provider.get_tracer("library", "2.0", schema_url="https://example.org/schema",
                                 attributes={"scope.key": "value", "scope.number": 7})
    parent = trace.set_span_in_context(trace.NonRecordingSpan(remote_context(0)))
    with tracer.start_as_current_span("parent", context=parent, kind=SpanKind.SERVER, attributes=VALUES) as span:
        span.add_event("plain")
        span.add_event("with attributes", VALUES, timestamp=span.start_time + 1)
        span.set_status(Status(StatusCode.ERROR, "it broke: ✗"))
        try:
            raise ValueError("recorded")
        except ValueError as error:
            span.record_exception(error)
        links = [Link(remote_context(1), VALUES), Link(remote_context(2))]
        with tracer.start_as_current_span("child", kind=SpanKind.CLIENT, links=links) as child:
            child.set_status(Status(StatusCode.OK))
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild.traces(db))

    parent_row, child_row = db.execute(
        "SELECT trace_id, span_id, parent_span_id, status_code_id, status_message, trace_state "
        "FROM otel_spans_fact ORDER BY start_time_unix_nano").fetchall()
    assert parent_row[0].hex == child_row[0].hex == "abcdef0123456789abcdef0123456789"
    assert parent_row[2] == 0xFEDCBA9876543210 - 2**64
    assert child_row[2] == parent_row[1]
    assert parent_row[3:] == (2, "it broke: ✗", "vendor=opaque")
    assert child_row[3] == 1


def test_kinds_and_statuses(traced, db):
    provider, exporter = traced()
    tracer = provider.get_tracer("kinds")
    for kind in SpanKind:
        for status in StatusCode:
            span = tracer.start_span(f"{kind.name} {status.name}", kind=kind)
            span.set_status(Status(status))
            span.end()
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild.traces(db))
    kinds = db.execute("SELECT DISTINCT k.name FROM otel_spans_fact JOIN otel_operations_dim o USING (operation_id) "
                       "JOIN span_kinds k ON k.kind_id = o.kind_id ORDER BY 1").fetchall()
    assert kinds == [("CLIENT",), ("CONSUMER",), ("INTERNAL",), ("PRODUCER",), ("SERVER",)]


@COMPRESSIONS
def test_a_batch_of_many_spans(traced, db, compression):
    provider, exporter = traced(compression=compression)
    tracer = provider.get_tracer("many", "1")
    for number in range(1500):
        with tracer.start_as_current_span(f"operation {number % 20}", attributes={"number": number}):
            pass
    assert provider.force_flush()
    assert len(exporter.requests) > 1
    assert_same(merge(exporter.requests), rebuild.traces(db))


def test_each_span_by_itself(traced, db):
    provider, exporter = traced(processor=SimpleSpanProcessor)
    tracer = provider.get_tracer("simple")
    for number in range(20):
        tracer.start_span(f"span {number}").end()
    assert len(exporter.requests) == 20
    assert_same(merge(exporter.requests), rebuild.traces(db))


def test_two_services_and_two_scopes_keep_apart(traced, db):
    (first, sent_first), (second, sent_second) = traced(), traced()
    second._resource = resource("another service")
    for provider in (first, second):
        for scope in ("a", "b"):
            provider.get_tracer(scope).start_span("same name").end()
        assert provider.force_flush()
    assert_same(merge(sent_first.requests + sent_second.requests), rebuild.traces(db))
    assert db.execute("SELECT count(DISTINCT resource_id), count(DISTINCT scope_id), count(DISTINCT operation_id) "
                      "FROM otel_spans_fact").fetchone() == (2, 2, 2)
