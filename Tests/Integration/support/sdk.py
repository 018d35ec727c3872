# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry SDK's own exporters, which here also remember what they sent."""

from grpc import Compression
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
import pytest

COMPRESSIONS = pytest.mark.parametrize(
    "compression", [Compression.NoCompression, Compression.Gzip], ids=["plain", "gzip"])


class Recording:
    """Mixin: `requests` are the messages as the exporter put them on the wire."""

    def __init__(self, server, compression=Compression.NoCompression, **options):
        super().__init__(endpoint=server.endpoint, insecure=True, compression=compression, timeout=30, **options)
        self.requests = []

    def _translate_data(self, data):
        request = super()._translate_data(data)
        self.requests.append(request)
        return request


class SpanExporter(Recording, OTLPSpanExporter):
    pass


class LogExporter(Recording, OTLPLogExporter):
    pass


class MetricExporter(Recording, OTLPMetricExporter):
    pass


def resource(name):
    """A resource with an attribute of each type."""
    return Resource({
        "service.name": name, "service.namespace": "integration", "service.version": "1.2.3",
        "process.pid": 4711, "host.load": 0.5, "host.is_virtual": True, "process.command_args": ["a", "b"],
        "numbers": [1, 2, 3], "fractions": [0.5, 1.5], "flags": [True, False], "empty": [],
    }, schema_url="https://opentelemetry.io/schemas/1.37.0")
