# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP from the OpenTelemetry SDK's own exporters, compared with the database value by value."""

import gzip
import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
import pytest
import requests
from requests.adapters import HTTPAdapter

from support import rebuild, rebuild_metrics
from support.daemon import free_port
from support.normal import assert_same, merge
from support.otlp import REQUESTS
from support.sdk import resource

PORT = free_port()
STARLING_SETTINGS = {"listen.http": f"127.0.0.1:{PORT}"}
COMPRESSIONS = pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip],
                                       ids=["plain", "gzip"])
NEVER_MS = float("inf")


class Recorder(HTTPAdapter):
    """Remembers the messages that went over the wire, and how they were answered."""

    def __init__(self, signal):
        super().__init__()
        self.signal = signal
        self.requests = []
        self.responses = []

    def send(self, request, **options):
        body = request.body
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.requests.append(REQUESTS[self.signal].FromString(body))
        response = super().send(request, **options)
        self.responses.append((response.status_code, response.headers["Content-Type"], response.content))
        return response

    def assert_accepted(self):
        assert self.responses and set(self.responses) == {(200, "application/x-protobuf", b"")}, self.responses


def options(signal, compression):
    """Of an exporter, and the recorder behind it."""
    recorder = Recorder(signal)
    session = requests.Session()
    session.mount("http://", recorder)
    return recorder, {"endpoint": f"http://127.0.0.1:{PORT}/v1/{signal}", "session": session,
                      "compression": compression, "timeout": 30}


@COMPRESSIONS
def test_spans(starling, db, compression):
    recorder, settings = options("traces", compression)
    provider = TracerProvider(resource=resource("http.traces"), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**settings)))
    tracer = provider.get_tracer("http", "1.0", attributes={"scope": True})
    for number in range(1200):
        with tracer.start_as_current_span(f"operation {number % 7}", attributes={"number": number}) as span:
            span.add_event("event", {"text": "Grüße 🌍", "bytes": b"\x00\xff"})
    assert provider.force_flush()
    provider.shutdown()
    recorder.assert_accepted()
    assert len(recorder.requests) > 1
    assert_same(merge(recorder.requests), rebuild.traces(db))


@COMPRESSIONS
def test_log_records(starling, db, compression):
    recorder, settings = options("logs", compression)
    provider = LoggerProvider(resource=resource("http.logs"), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**settings)))
    logger = provider.get_logger("http")
    for body in ["text", 7, 0.5, True, b"\x00", [1, "two"], {"key": {"list": [None]}}, None]:
        logger.emit(LogRecord(timestamp=time.time_ns(), body=body, severity_number=SeverityNumber.WARN))
    assert provider.force_flush()
    provider.shutdown()
    recorder.assert_accepted()
    assert_same(merge(recorder.requests), rebuild.logs(db))


@COMPRESSIONS
def test_data_points(starling, db, compression):
    recorder, settings = options("metrics", compression)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(**settings), export_interval_millis=NEVER_MS)
    provider = MeterProvider([reader], resource("http.metrics"), shutdown_on_exit=False)
    meter = provider.get_meter("http", "1.0")
    counter, duration = meter.create_counter("requests", "1", "how many"), meter.create_histogram("duration", "ms")
    for number in range(100):
        counter.add(number, {"route": f"/{number % 5}"})
        duration.record(number / 3, {"route": f"/{number % 5}"})
    assert provider.force_flush()
    provider.shutdown()
    recorder.assert_accepted()
    assert_same(merge(recorder.requests), rebuild_metrics.metrics(db))
