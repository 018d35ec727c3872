# SPDX-License-Identifier: Apache-2.0
"""What the gRPC libraries and SDKs of each language do that others do not, as frames made by hand."""

import base64
import gzip
import logging
import threading

from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from h2.settings import SettingCodes
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PriorityFrame, SettingsFrame
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
import pytest

from support import otlp
from support.api import api_settings
from support.grpcwire import (
    DEADLINE_EXCEEDED, INTERNAL, INVALID_ARGUMENT, PATHS, RESOURCE_EXHAUSTED, UNAVAILABLE, UNIMPLEMENTED, Answer,
    assert_error, assert_success, frame, headers)
from support.h2client import Stream
from support.locks import blocked, wait_for_blocked
from support.rawcall import call, exported
from support.waiting import eventually

TRUE_BINARY_METADATA = 0xFE03
REQUEST_BYTES_MAX = 64 << 10
STARLING_SETTINGS = {"limits.request_bytes_max": str(REQUEST_BYTES_MAX)}


def wire():
    return frame(otlp.request("traces").SerializeToString())


def span_count(db):
    return db.execute("SELECT count(*) FROM otel_spans_fact").fetchone()[0]


# --- settings and header blocks ------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_CONCURRENT_STREAMS: 0, SettingCodes.INITIAL_WINDOW_SIZE: 4 << 20,
     SettingCodes.MAX_FRAME_SIZE: 4 << 20, SettingCodes.MAX_HEADER_LIST_SIZE: 16 << 10, TRUE_BINARY_METADATA: 1},
    {SettingCodes.INITIAL_WINDOW_SIZE: 65_535, SettingCodes.MAX_FRAME_SIZE: 16_384},
    {SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: 16 << 20},
    {SettingCodes.HEADER_TABLE_SIZE: 0},
    {SettingCodes.HEADER_TABLE_SIZE: 2**32 - 1, SettingCodes.INITIAL_WINDOW_SIZE: 2**31 - 1,
     SettingCodes.MAX_FRAME_SIZE: 2**24 - 1},
    {},
], ids=["c-core", "grpc-go", "OkHttp", "no dynamic table", "all at their limits", "defaults"])
def test_settings_of_each_library(client, starling, db, settings):
    client.send_raw(SettingsFrame(0, settings).serialize())
    for _ in range(3):
        exported(client, starling, "traces", otlp.request("traces"))
    assert span_count(db) == 3 and not client.goaways


@pytest.mark.parametrize("cuts", [[1], [10, 20, 30], list(range(1, 8))], ids=["two", "four", "eight"])
def test_header_block_in_continuations(client, starling, db, cuts):
    """Large metadata of tracing and security meshes: the block does not fit one frame, or is flushed in parts."""
    block = client.h2.encoder.encode([*headers(starling.port), ("x-token", "t" * 6000)])
    bounds = [0, *cuts, len(block)]
    parts = [block[start:end] for start, end in zip(bounds, bounds[1:])]
    first, *rest = [HeadersFrame(1, parts[0]), *(ContinuationFrame(1, part) for part in parts[1:])]
    rest[-1].flags.add("END_HEADERS")
    data = DataFrame(1, wire())
    data.flags.add("END_STREAM")
    reply = raw_call(client, first.serialize() + b"".join(part.serialize() for part in rest) + data.serialize())
    assert_success(reply)
    assert span_count(db) == 1


def raw_call(client, data):
    """Sends frames of stream 1 that h2 does not know of; the answer on it."""
    stream_id = client.h2.get_next_available_stream_id()
    # h2 takes an answer only on a stream that it has opened itself: let it, and keep its bytes back.
    client.streams[stream_id] = Stream()
    client.flush()
    client.h2.send_headers(stream_id, [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "x")],
                           end_stream=True)
    client.h2.data_to_send()
    client.send_raw(data)
    return Answer(client.wait(stream_id))


@pytest.mark.parametrize("is_exclusive", [False, True])
def test_priorities_in_headers(client, starling, db, is_exclusive):
    """nghttp2, Firefox and old OkHttp still send what RFC 9113 has deprecated."""
    block = client.h2.encoder.encode(headers(starling.port))
    first = HeadersFrame(1, block, depends_on=0, stream_weight=200, exclusive=is_exclusive)
    first.flags |= {"END_HEADERS", "PRIORITY"}
    data = DataFrame(1, wire())
    data.flags.add("END_STREAM")
    groups = b"".join(PriorityFrame(number, depends_on=0, stream_weight=100).serialize() for number in (3, 5, 7))
    assert_success(raw_call(client, groups + first.serialize() + data.serialize()))
    assert span_count(db) == 1


@pytest.mark.parametrize("more", [
    {"user_agent": "OTel-OTLP-Exporter-Java/1.50", "content_length": "right"},
    {"grpc_accept_encoding": "identity, deflate, gzip", "user_agent": "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)"},
    {"grpc_accept_encoding": "gzip", "user_agent": "grpc-node-js/1.10", "grpc_previous_rpc_attempts": "2"},
    {"x_custom_bin": base64.b64encode(b"\x00\xff\x10").decode()},
    {"x_custom_bin": base64.b64encode(b"\x00\xff").decode().rstrip("=")},
    {"x_text": "caf\u00e9"},
    {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "baggage": "a=b,c=d"},
    {"grpc_timeout": "2992404u"}, {"grpc_timeout": "99999999H"},
], ids=["Java", "C++", "Node", "padded -bin", "unpadded -bin", "not ASCII", "tracing", "grpcurl", "longest timeout"])
def test_metadata_of_each_client(client, starling, db, more):
    body = wire()
    if "content_length" in more:
        more = more | {"content_length": str(len(body))}
    assert_success(call(client, starling, body, **more))
    assert span_count(db) == 1


@pytest.mark.parametrize("change", [
    lambda fields: [field for field in fields if field[0] != "te"],
    lambda fields: [(":scheme", "https") if field[0] == ":scheme" else field for field in fields],
    lambda fields: [(":authority", "localhost") if field[0] == ":authority" else field for field in fields],
    lambda fields: [(":authority", "collector.example.org:443") if field[0] == ":authority" else field
                    for field in fields],
    lambda fields: [field for field in fields if field[0] != ":authority"] + [("host", "collector")],
    lambda fields: [*fields, ("x-twice", "1"), ("x-twice", "2")],
    lambda fields: sorted(fields, key=lambda field: (not field[0].startswith(":"), field[0] != ":path")),
], ids=["proxy drops te", "proxy ends TLS", "unix socket", "another name", "host for :authority", "twice the same",
        "c-core: path first"])
def test_heads_that_libraries_and_proxies_make(client, starling, db, change):
    stream_id = client.open(change(headers(starling.port)))
    client.send(stream_id, wire(), end_stream=True)
    assert_success(Answer(client.wait(stream_id)))
    assert span_count(db) == 1


@pytest.mark.parametrize("pieces", [
    lambda body: [body[:5], body[5:]],
    lambda body: [body, b""],
    lambda body: [b"", body],
    lambda body: [body[:3], body[3:]],
], ids=["prefix first (Java)", "END_STREAM alone (Go)", "empty first", "prefix in two"])
def test_bodies_as_libraries_cut_them(client, starling, db, pieces):
    stream_id = client.open(headers(starling.port))
    *first, last = pieces(wire())
    for piece in first:
        client.h2.send_data(stream_id, piece)
    client.h2.send_data(stream_id, last, end_stream=True)
    client.flush()
    assert_success(Answer(client.wait(stream_id)))
    assert span_count(db) == 1


# --- answers -------------------------------------------------------------------------------------


def test_success_has_a_message_even_if_it_is_empty(client, starling, db):
    """.NET takes a success without the five bytes for a failure."""
    answer = call(client, starling, wire())
    assert answer.stream.data == bytes(5) and not answer.is_trailers_only
    assert "grpc-status" not in answer.headers and answer.trailers["grpc-status"] == "0"


ERRORS = {
    "method": (UNIMPLEMENTED, 200, wire(), {"path": "/opentelemetry.proto.collector.trace.v1.TraceService/Import"}),
    "service": (UNIMPLEMENTED, 200, wire(), {"path": "/example.Service/Export"}),
    "profiles": (UNIMPLEMENTED, 200, wire(), {
        "path": "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"}),
    "encoding": (UNIMPLEMENTED, 200, frame(b"", flag=1), {"grpc_encoding": "zstd"}),
    "too large": (RESOURCE_EXHAUSTED, 200, frame(bytes(REQUEST_BYTES_MAX + 1)), {}),
    "no protobuf": (INVALID_ARGUMENT, 200, frame(b"\xff\xff\xff"), {}),
    "no message": (INTERNAL, 200, b"", {}),
    "flag": (INTERNAL, 200, frame(b"", flag=7), {}),
    "timeout": (INTERNAL, 400, wire(), {"grpc_timeout": "soon"}),
    "content type": (INVALID_ARGUMENT, 415, wire(), {"content_type": "application/json"}),
    "deadline": (DEADLINE_EXCEEDED, 200, wire(), {"grpc_timeout": "1n"}),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_one_block_of_headers(client, starling, db, name):
    """Java retries, or stops retrying, by grpc-status in the first HEADERS and looks nowhere else."""
    code, http_status, body, more = ERRORS[name]
    assert_error(call(client, starling, body, **more), [code], http_status)
    exported(client, starling, "traces", otlp.request("traces"))


def test_errors_that_ask_for_a_retry(start_server, database, db):
    """Trailers-Only with the delay where Go, the Collector and .NET look, and where Python looks."""
    server = start_server(database, {"database.writers": "1", "ring.exports_max": "16"})
    with server.client() as client, blocked(database):
        streams = [begin(client, server)]
        wait_for_blocked(database)
        streams += [begin(client, server) for _ in range(40)]
        refused = eventually(lambda: over(client, streams), "an answer that asks for a retry")
        answer = Answer(refused[0])
        assert_error(answer, [UNAVAILABLE])
        info = error_details_pb2.RetryInfo.FromString(binary(answer.trailers["google.rpc.retryinfo-bin"]))
        assert info.retry_delay.seconds + info.retry_delay.nanos / 1e9 == answer.retry_seconds


def binary(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def begin(client, server):
    stream_id = client.open(headers(server.port))
    client.send(stream_id, wire(), end_stream=True)
    return stream_id


def over(client, streams):
    client.pump(is_blocking=False)
    return [client.streams[number] for number in streams if client.streams[number].is_over]


def test_python_exporter_waits_as_long_as_it_is_asked_to(start_server, database, caplog, db):
    """The real one: its own first delay would be about a second, by the answer it is up to five."""
    server = start_server(database, {"database.writers": "1", "ring.exports_max": "16"})
    exporter = OTLPSpanExporter(endpoint=server.endpoint, insecure=True, timeout=30)
    provider = TracerProvider(resource=Resource.create({"service.name": "s"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    caplog.set_level(logging.WARNING)
    with server.client() as client:
        with blocked(database):
            begin(client, server)
            wait_for_blocked(database)
            for _ in range(40):
                begin(client, server)
            thread = threading.Thread(target=lambda: provider.get_tracer("t").start_span("late").end())
            thread.start()
            eventually(lambda: "Transient error" in caplog.text, "the exporter to be refused once")
        thread.join(60)
        assert not thread.is_alive()
    provider.shutdown()
    assert db.execute("SELECT count(*) FROM v_otel_spans_enriched WHERE name = 'late'").fetchone() == (1,)


def test_client_without_a_timeout_has_ours(start_server, database, db):
    """Java over OkHttp and .NET send no grpc-timeout."""
    server = start_server(database, {"database.writers": "1", "limits.request_deadline": "500ms"})
    with server.client() as client, blocked(database):
        first = begin(client, server)
        wait_for_blocked(database)
        answers = [Answer(client.wait(stream_id)) for stream_id in (first, begin(client, server))]
        for answer in answers:
            assert_error(answer, [DEADLINE_EXCEEDED, UNAVAILABLE])


def test_pings_after_the_first_data_of_an_answer(start_server, database):
    """grpc-go and c-core measure the path: a PING as soon as DATA comes, also while a call is open."""
    settings, api = api_settings()
    server = start_server(database, settings)
    with server.client() as client:
        for _ in range(200):
            stream_id = begin(client, server)
            client.until(lambda stream_id=stream_id: client.streams[stream_id].data, "DATA")
            client.ping()
            client.wait(stream_id)
        assert not client.goaways
    assert not [name for name, value in api.metrics().items() if "connections_aborted" in name and value]


def test_many_calls_at_a_time_as_the_collector_makes_them(client, starling, db):
    """Ten consumers of its queue on one connection, gzip."""
    requests = [otlp.request("traces") for _ in range(10)]
    streams = [client.open(headers(starling.port, grpc_encoding="gzip")) for _ in requests]
    for stream_id, request in zip(streams, requests):
        client.send(stream_id, frame(gzip.compress(request.SerializeToString()), flag=1), end_stream=True)
    for stream_id in streams:
        assert_success(Answer(client.wait(stream_id)))
    assert span_count(db) == 10


def test_reflection_stays_open_while_a_call_runs(client, starling, db):
    """grpcurl: ask, call on the same connection, and only then end the questions."""
    stream_id = client.open(headers(starling.port, path="/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"))
    question = ServerReflectionRequest(file_containing_symbol=PATHS["traces"].split("/")[1])
    client.send(stream_id, frame(question.SerializeToString()))
    client.until(lambda: client.streams[stream_id].data, "the descriptors")
    exported(client, starling, "traces", otlp.request("traces"))
    assert not client.streams[stream_id].is_over
    client.send(stream_id, b"", end_stream=True)
    stream = client.wait(stream_id)
    assert stream.is_ended and dict(stream.trailers)["grpc-status"] == "0"
