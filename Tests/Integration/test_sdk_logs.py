# SPDX-License-Identifier: Apache-2.0
"""Log records from the OpenTelemetry SDK, compared with the database value by value."""

import logging
import time

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
import pytest

from support import rebuild
from support.normal import assert_same, merge
from support.sdk import COMPRESSIONS, LogExporter, resource

BODIES = ["text", "", "Zeile\nmit ü ✓", True, False, 0, -7, 2**63 - 1, 0.25, float("nan"), b"", b"\x00\x01\xfe",
          [], [1, "two", None, [3.0]], {"key": "value", "nested": {"list": [1, {"deep": b"\x01"}]}}, {"$double": "NaN"},
          {}, None]


@pytest.fixture
def logged(starling, request):
    providers = []

    def make(**options):
        exporter = LogExporter(starling, **options)
        provider = LoggerProvider(resource=resource(request.node.name), shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        providers.append(provider)
        return provider, exporter

    yield make
    for provider in providers:
        provider.shutdown()


@COMPRESSIONS
def test_bodies_of_every_kind(logged, db, compression):
    provider, exporter = logged(compression=compression)
    logger = provider.get_logger("bodies", "1.0", schema_url="https://example.org/logs")
    for body in BODIES:
        logger.emit(LogRecord(timestamp=time.time_ns(), body=body, severity_number=SeverityNumber.INFO))
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild.logs(db))


def test_severities_events_and_attributes(logged, db):
    provider, exporter = logged()
    logger = provider.get_logger("severities", attributes={"scope": True})
    for severity in SeverityNumber:
        logger.emit(LogRecord(
            timestamp=time.time_ns(), observed_timestamp=time.time_ns(), severity_number=severity,
            severity_text=severity.name, body=severity.name, event_name=f"event.{severity.name}",
            attributes={"nested": {"a": [1, {"b": 2.5}]}, "bytes": b"\xff", "mixed": [1, "x", None], "text": "ü"}))
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild.logs(db))
    names = db.execute("SELECT DISTINCT r.severity_text FROM otel_logs_fact JOIN log_severity_numbers r "
                       "USING (severity_number)").fetchall()
    assert len(names) == 24


def test_trace_context_of_a_record(logged, db):
    provider, exporter = logged()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("context")
    with tracer.start_as_current_span("around") as span:
        provider.get_logger("context").emit(LogRecord(
            timestamp=time.time_ns(), body="inside", context=trace.set_span_in_context(span)))
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild.logs(db))
    context = span.get_span_context()
    ((trace_id, span_id),) = db.execute("SELECT trace_id, span_id FROM otel_logs_fact").fetchall()
    assert trace_id.int == context.trace_id
    assert span_id % 2**64 == context.span_id


def test_records_without_a_time(logged, db):
    provider, exporter = logged()
    logger = provider.get_logger("times")
    observed = time.time_ns()
    logger.emit(LogRecord(timestamp=0, observed_timestamp=observed, body="no time"))
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild.logs(db))
    assert db.execute("SELECT time_unix_nano, observed_time_unix_nano, time_is_substituted "
                      "FROM otel_logs_fact").fetchall() == [(observed, observed, True)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_python_logging_through_the_sdk(logged, db):
    provider, exporter = logged()
    logger = logging.getLogger("integration.python")
    handler = LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    try:
        logger.warning("disk %s at %d %%", "sda", 91, extra={"disk.free": 0.09})
        try:
            raise KeyError("gone")
        except KeyError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild.logs(db))
    bodies = db.execute("SELECT body_text FROM otel_logs_fact ORDER BY time_unix_nano").fetchall()
    assert bodies == [("disk sda at 91 %",), ("failed",)]
