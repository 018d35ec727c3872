# SPDX-License-Identifier: Apache-2.0
"""Metrics from every instrument of the OpenTelemetry SDK, compared with the database value by value."""

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import (
    AlwaysOnExemplarFilter, Counter, Histogram, MeterProvider, ObservableCounter, ObservableGauge,
    ObservableUpDownCounter, UpDownCounter)
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.trace import TracerProvider
import pytest

from support import rebuild_metrics
from support.normal import assert_same, merge
from support.sdk import COMPRESSIONS, MetricExporter, resource

NEVER_MS = float("inf")
INSTRUMENTS = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter, ObservableGauge)
TEMPORALITIES = pytest.mark.parametrize(
    "temporality", [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA], ids=["cumulative", "delta"])


@pytest.fixture
def metered(starling, request):
    """A provider that exports only on force_flush."""
    providers = []

    def make(temporality=AggregationTemporality.CUMULATIVE, views=(), **options):
        exporter = MetricExporter(starling, preferred_temporality={kind: temporality for kind in INSTRUMENTS},
                                  **options)
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=NEVER_MS)
        provider = MeterProvider([reader], resource(request.node.name), AlwaysOnExemplarFilter(),
                                 shutdown_on_exit=False, views=views)
        providers.append(provider)
        return provider, exporter

    yield make
    for provider in providers:
        provider.shutdown()


def observed(*values):
    def callback(_: CallbackOptions):
        return [Observation(value, {"index": index}) for index, value in enumerate(values)]
    return [callback]


@TEMPORALITIES
@COMPRESSIONS
def test_every_instrument(metered, db, temporality, compression):
    views = [View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())]
    provider, exporter = metered(temporality, views, compression=compression)
    meter = provider.get_meter("instruments", "3.1", "https://example.org/metrics", {"scope": "attribute"})
    counter = meter.create_counter("counter", "1", "counts things ✓")
    fractions = meter.create_counter("counter.fraction", "s")
    level = meter.create_up_down_counter("level")
    duration = meter.create_histogram("duration", "ms", explicit_bucket_boundaries_advisory=[0.5, 1, 100])
    exponential = meter.create_histogram("exponential", "By")
    gauge = meter.create_gauge("temperature", "Cel")
    meter.create_observable_counter("observed.counter", observed(1, 2**62))
    meter.create_observable_up_down_counter("observed.level", observed(-1, -0.5))
    meter.create_observable_gauge("observed.gauge", observed(float("inf"), 0))
    for turn in range(3):
        for key in ("a", "b"):
            labels = {"key": key, "number": 1, "share": 0.5, "is": True, "list": ["x", "y"]}
            counter.add(turn + 1, labels)
            fractions.add(0.25, labels)
            level.add(-turn, labels)
            gauge.set(20.5 + turn, labels)
            for value in (0, 0.25, 1, 50, 1e9):
                duration.record(value, labels)
                exponential.record(value, labels)
        assert provider.force_flush()
    assert len(exporter.requests) == 3
    assert_same(merge(exporter.requests), rebuild_metrics.metrics(db))
    temporalities = db.execute(
        "SELECT DISTINCT t.name FROM otel_metrics_dim m JOIN aggregation_temporalities t "
        "ON t.temporality_id = m.aggregation_temporality_id WHERE m.name = 'duration' AND m.metric_id IN "
        "(SELECT metric_id FROM otel_metric_series_dim JOIN otel_metrics_data_points_histogram USING (series_id))")
    assert temporalities.fetchall() == [(temporality.name,)]


def test_exemplars_point_at_spans(metered, db):
    provider, exporter = metered()
    meter = provider.get_meter("exemplars")
    counter, histogram = meter.create_counter("hits"), meter.create_histogram("latency")
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("exemplars")
    with tracer.start_as_current_span("around") as span:
        counter.add(3, {"kept": 1})
        histogram.record(12.5, {"kept": 1})
    assert provider.force_flush()
    sent = merge(exporter.requests)
    assert_same(sent, rebuild_metrics.metrics(db))
    forms = db.execute("SELECT exemplars FROM otel_metrics_data_points_number UNION ALL "
                       "SELECT exemplars FROM otel_metrics_data_points_histogram").fetchall()
    assert {form["trace_id"] for (forms_of_row,) in forms for form in forms_of_row} == {
        f"{span.get_span_context().trace_id:032x}"}


def test_exponential_histogram_with_negative_values(metered, db):
    views = [View(instrument_name="balance", aggregation=ExponentialBucketHistogramAggregation(max_size=20))]
    provider, exporter = metered(views=views)
    histogram = provider.get_meter("signs").create_histogram("balance")
    for value in (1e-3, 2, 1000, 0, 4e6):
        histogram.record(value)
    assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild_metrics.metrics(db))


def test_a_series_is_one_row_over_many_points(metered, db):
    provider, exporter = metered()
    counter = provider.get_meter("series").create_counter("steady")
    for _ in range(10):
        counter.add(1, {"key": "value"})
        assert provider.force_flush()
    assert_same(merge(exporter.requests), rebuild_metrics.metrics(db))
    assert db.execute("SELECT count(*), count(DISTINCT series_id), array_agg(value_int ORDER BY time_unix_nano) "
                      "FROM otel_metrics_data_points_number").fetchone() == (10, 1, list(range(1, 11)))
