# SPDX-License-Identifier: Apache-2.0
"""/metrics: what Prometheus's own parser reads there adds up to what was sent."""

import grpc
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.locks import blocked, wait_for_blocked
from support.waiting import eventually

COLLECTOR_ITEMS = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}
RECEIVER = '{receiver="otlp",transport="grpc"}'
RECEIVER_HTTP = '{receiver="otlp",transport="http"}'


@pytest.fixture
def observed(database, start_server, db):
    """A daemon of its own for a test, so that its counters begin at 0; (server, api)."""
    settings, api = api_settings(**{"database.writers": "1"})
    server = start_server(database, settings)
    yield server, api
    assert server.daemon.stop() == 0, server.daemon.output()


def items(signal, count):
    make = {"traces": otlp.span, "logs": otlp.log_record, "metrics": otlp.gauge}[signal]
    return [make() for _ in range(count)]


def settled(samples, signal, outcome):
    return samples[f'starling_items_settled_total{{outcome="{outcome}",signal="{signal}"}}']


def test_sums_are_what_was_sent(observed):
    server, api = observed
    sent = {"traces": 0, "logs": 0, "metrics": 0}
    with server.channel() as channel:
        export = Export(channel)
        for count in (1, 10, 200):
            for signal in sent:
                assert export(otlp.request(signal, items(signal, count))).SerializeToString() == b""
                sent[signal] += count
    samples = api.metrics()
    for signal, count in sent.items():
        name = COLLECTOR_ITEMS[signal]
        assert samples[f'starling_items_received_total{{signal="{signal}"}}'] == count
        assert settled(samples, signal, "committed") == count
        assert samples[f"otelcol_receiver_accepted_{name}_total{RECEIVER}"] == count
        assert samples[f"otelcol_receiver_refused_{name}_total{RECEIVER}"] == 0
        assert samples[f"otelcol_receiver_failed_{name}_total{RECEIVER}"] == 0
        assert samples[f"otelcol_receiver_accepted_{name}_total{RECEIVER_HTTP}"] == 0
        assert samples[f'otelcol_exporter_sent_{name}_total{{exporter="postgresql"}}'] == count
        assert samples[f'starling_ack_latency_seconds_count{{signal="{signal}"}}'] == 3
        assert samples[f'starling_ack_latency_seconds_bucket{{le="+Inf",signal="{signal}"}}'] == 3
        assert samples[f'starling_ack_latency_seconds_sum{{signal="{signal}"}}'] > 0
    assert samples["starling_requests_received_total"] == 9
    assert samples['starling_requests_answered_total{outcome="accepted"}'] == 9
    assert samples["starling_batches_committed_total"] == 9
    assert samples["starling_commit_latency_seconds_count"] == 9
    assert samples['starling_dimension_lookups_total{result="hit"}'] > 0
    assert samples["starling_dimension_cache_entries"] > 0
    assert samples["starling_last_commit_age_seconds"] >= 0


def test_histograms_rise_and_agree(observed):
    server, api = observed
    with server.channel() as channel:
        for _ in range(20):
            Export(channel)(otlp.request("traces"))
    samples = api.metrics()
    buckets = {name: value for name, value in samples.items()
               if name.startswith("starling_ack_latency_seconds_bucket") and 'signal="traces"' in name}
    values = list(buckets.values())
    assert len(values) == 25 and values == sorted(values) and values[-1] == 20


def test_retries_refusals_and_partial_success_are_told_apart(observed):
    server, api = observed
    request = otlp.request("traces", items("traces", 5))
    partial = otlp.request("traces", [otlp.span(), otlp.span(name="nul \0 byte")])
    with server.channel() as channel:
        export = Export(channel)
        for _ in range(2):
            assert export(request).SerializeToString() == b""
        assert export(partial).partial_success.rejected_spans == 1
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(b"\xff\xff", timeout=30)
    samples = api.metrics()
    assert settled(samples, "traces", "committed") == 6
    assert settled(samples, "traces", "deduplicated") == 5
    assert samples["starling_exports_deduplicated_total"] == 1
    assert samples['starling_requests_answered_total{outcome="accepted"}'] == 2
    assert samples['starling_requests_answered_total{outcome="partial"}'] == 1
    assert samples['starling_requests_answered_total{outcome="refused"}'] == 1
    # What is told to the client as final, and what is received, balance.
    assert samples['starling_items_received_total{signal="traces"}'] == 12 == sum(
        settled(samples, "traces", outcome) for outcome in ("committed", "dead_lettered", "deduplicated", "refused"))
    assert settled(samples, "traces", "dead_lettered") == 1
    # One that is refused is no acknowledgement.
    assert samples['starling_ack_latency_seconds_count{signal="traces"}'] == 3


def test_gauges_show_what_waits(observed):
    server, api = observed
    api.wait_ready()
    assert api.metrics()["starling_writers_busy"] == 0
    with server.channel() as channel:
        export = Export(channel)
        export(otlp.request("traces"))  # the writer is connected then: what waits is an export
        calls = []

        def start():
            request = otlp.request("traces", items("traces", 3))
            calls.append(export.method(request).future(request, timeout=60))

        with blocked(server.database):
            start()
            wait_for_blocked(server.database)
            for _ in range(4):
                start()
            samples = eventually(
                lambda: (found := api.metrics())["starling_ring_exports"] == 4 and found, "four to wait")
        assert samples["starling_ring_items"] == 12
        assert samples['otelcol_exporter_queue_size{exporter="postgresql"}'] == 4
        assert samples["starling_writers_busy"] == 1
        assert samples["starling_connections"] == 1
        assert 0 < samples["starling_memory_budget_used_bytes"] < samples["starling_memory_budget_bytes"]
        for call in calls:
            assert call.result().SerializeToString() == b""
    eventually(lambda: api.metrics()["starling_writers_busy"] == 0, "the writer to be idle")
    assert api.metrics()["starling_ring_exports"] == 0


def test_what_is_known_of_process_and_database(observed):
    server, api = observed
    api.wait_ready()
    samples = api.metrics()
    resident = server.daemon.resident_bytes()
    assert resident / 2 < samples["process_resident_memory_bytes"] < resident * 2
    assert samples["process_open_fds"] > 5 and samples["process_max_fds"] > samples["process_open_fds"]
    assert samples["process_cpu_seconds_total"] > 0 and samples["process_threads"] > 5
    assert samples['starling_database_state{state="ok"}'] == 1
    assert samples['starling_database_state{state="down"}'] == 0
    assert samples["starling_schema_version"] == samples["starling_schema_version_wanted"] > 0
    ahead = [value for name, value in samples.items() if name.startswith("starling_partitions_ahead_seconds")]
    assert len(ahead) == 6 and min(ahead) > 6 * 86_400
    assert samples['starling_build_info{version="0.1.0"}'] == 1


def test_number_of_samples_does_not_grow(observed):
    """Neither clients nor what they send make new series."""
    server, api = observed
    api.wait_ready()
    before = set(api.metrics())
    for number in range(5):
        with server.channel() as channel:
            resource = Resource(attributes=otlp.attributes(service__name=f"service {number}"))
            Export(channel)(otlp.request("traces", [otlp.span(name=f"name {number}")], resource=resource))
    assert set(api.metrics()) == before
