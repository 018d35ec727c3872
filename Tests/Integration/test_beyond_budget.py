# SPDX-License-Identifier: Apache-2.0
"""A request that memory.budget_bytes can never hold is refused for good, and not told to come back for ever.

What stops it is never its size alone, to which the configuration sees: it is held as it came, inflated, as protobuf
and unpacked at once.
"""

import gzip
import json

import pytest

from support import otlp
from support.api import api_settings
from support.daemon import free_port
from support.grpcwire import RESOURCE_EXHAUSTED, UNAVAILABLE, Answer, assert_error, frame, headers
from support.otlphttp import JSON, PROTOBUF, Connection, to_json
from support.waiting import eventually

PORT = free_port()
BUDGET_BYTES = 16 << 20
STARLING_SETTINGS, API = api_settings(**{
    "listen.http": f"127.0.0.1:{PORT}", "memory.budget_bytes": f"{BUDGET_BYTES}B", "limits.request_bytes_max": "4MiB",
    "limits.unpacked_bytes_max": "11MiB", "batch.bytes_max": "1MiB"})


@pytest.fixture(scope="module")
def request_message():
    """3.9 MB that take 9 to 11 MiB unpacked: beside them fits the message, but not the message twice."""
    spans = [otlp.span(attributes=[otlp.attribute(f"k{place}", "v" * 52) for place in range(20)])
             for _ in range(3_000)]
    return otlp.request("traces", spans)


def stored(body):
    """gzip without compression, as of data that cannot be made smaller."""
    return gzip.compress(body, compresslevel=0)


def assert_names_keys(message):
    for part in ("memory.budget_bytes", str(BUDGET_BYTES), "limits.request_bytes_max"):
        assert part in message, message


def test_it_fits(starling, db, request_message):
    with Connection(PORT) as connection:
        connection.export("traces", request_message)
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (3_000,)


def test_over_http(starling, db, request_message):
    with Connection(PORT) as connection:
        body = stored(request_message.SerializeToString())
        answer = connection.post("traces", body, PROTOBUF, content_encoding="gzip")
        assert_names_keys(answer.error(413))
        assert "retry-after" not in answer.headers
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (0,)


def test_over_grpc(starling, request_message):
    body = stored(request_message.SerializeToString())
    with starling.client() as client:
        stream_id = client.open(headers(starling.port, grpc_encoding="gzip"))
        client.send(stream_id, frame(body, flag=1), end_stream=True)
        answer = Answer(client.wait(stream_id))
        assert_error(answer, {RESOURCE_EXHAUSTED})  # without RetryInfo, so that nobody comes back
        assert_names_keys(answer.message)


def test_json_is_held_as_protobuf_too(starling, request_message):
    spans = request_message.resource_spans[0].scope_spans[0].spans
    half = otlp.request("traces", spans[:1_750])
    body = to_json(half).encode()
    assert len(body) < 4 << 20 and json.loads(body)
    with Connection(PORT) as connection:
        answer = connection.post("traces", stored(body), JSON, content_encoding="gzip")
        assert_names_keys(answer.error(413))
        # The connection and the daemon go on, and nothing is held.
        assert connection.post("traces", b"{}", JSON).status == 200


@pytest.mark.parametrize("is_grpc", [False, True], ids=["http", "grpc"])
def test_rows_that_do_not_fit(starling, db, is_grpc):
    """It can be unpacked, but beside that there is no room for its rows: the writer says so, and soon."""
    spans = [otlp.span(attributes=[otlp.attribute(f"k{place}", "v" * 52) for place in range(20)])
             for _ in range(3_150)]
    body = otlp.request("traces", spans).SerializeToString()
    assert len(body) < 4 << 20

    def refusal():
        """None while something else is held as well."""
        if not is_grpc:
            with Connection(PORT) as connection:
                answer = connection.post("traces", body)
            return answer.error(413) if answer.status != 503 else None
        with starling.client() as client:
            stream_id = client.open(headers(starling.port))
            client.send(stream_id, frame(body), end_stream=True)
            answer = Answer(client.wait(stream_id))
        if answer.code == UNAVAILABLE:
            return None
        assert_error(answer, {RESOURCE_EXHAUSTED})
        return answer.message

    assert_names_keys(eventually(refusal, "the request to be refused"))
    with Connection(PORT) as connection:
        connection.export("traces", otlp.request("traces"))
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)


def test_nothing_stays_held(starling, request_message):
    """What is refused gives back all that it held, and writers what they keep: the same message still fits."""
    body = stored(request_message.SerializeToString())
    with Connection(PORT) as connection:
        for _ in range(3):
            assert connection.post("traces", body, PROTOBUF, content_encoding="gzip").status == 413
        eventually(lambda: connection.post("traces", request_message.SerializeToString()).status == 200,
                   "the message to be taken")
