# SPDX-License-Identifier: Apache-2.0
"""Legal calls in unusual forms: sizes, splits, compression, deadlines, cancellation, many at a time."""

import grpc
from h2.errors import ErrorCodes
import pytest

from support import otlp, rebuild
from support.grpcwire import (
    DEADLINE_EXCEEDED, PATHS, RESOURCE_EXHAUSTED, Answer, assert_error, assert_success, frame, gzipped, headers)
from support.locks import blocked, wait_for_blocked
from support.normal import assert_same, merge
from support.otlp import SIGNALS
from support.rawcall import assert_healthy, call, export, exported

# One writer, so that a test can hold all writing up with one lock.
STARLING_SETTINGS = {"database.writers": "1"}
LIMIT_BYTES = 64 << 20
STREAM_COUNT = 100


def names(db):
    return {name for name, in db.execute(
        "SELECT coalesce(s.name, o.name) FROM otel_spans_fact s LEFT JOIN otel_operations_dim o USING (operation_id)")}


@pytest.mark.parametrize("signal", SIGNALS)
def test_bytes_of_a_success(client, starling, db, signal):
    """HEADERS, five bytes of DATA, trailers: the .NET exporter takes a success without DATA for a failure."""
    answer = export(client, starling, signal, otlp.request(signal))
    assert_success(answer)
    assert answer.stream.data == bytes(5)
    assert set(answer.trailers) <= {"grpc-status", "grpc-message"} and answer.trailers["grpc-status"] == "0"
    assert answer.headers["content-type"] == "application/grpc"
    assert answer.headers.get("grpc-encoding", "identity") == "identity"


def test_request_of_exactly_the_limit(client, starling, db):
    """64 MiB, the default limit, to the byte; and one byte more."""
    request = otlp.request("logs", [otlp.log_record(body=otlp.any_of("x" * (1 << 20))) for _ in range(63)])
    records = request.resource_logs[0].scope_logs[0].log_records
    last = records.add()
    last.CopyFrom(otlp.log_record(body=otlp.any_of("y" * (1 << 19))))
    for _ in range(5):  # length prefixes may grow with what they count
        text = last.body.string_value
        last.body.string_value = text + "y" * (LIMIT_BYTES - request.ByteSize())
    assert request.ByteSize() == LIMIT_BYTES
    assert exported(client, starling, "logs", request).SerializeToString() == b""
    assert_same(request, rebuild.logs(db))
    last.body.string_value += "y"
    assert_error(export(client, starling, "logs", request), [RESOURCE_EXHAUSTED])
    assert db.execute("SELECT count(*) FROM otel_logs_fact").fetchone() == (64,)
    assert_healthy(starling)


def test_large_request_in_gzip(client, starling, db):
    """60 MiB that are small on the wire."""
    request = otlp.request("logs", [otlp.log_record(body=otlp.any_of("x" * (1 << 20))) for _ in range(60)])
    answer = call(client, starling, gzipped(request.SerializeToString()), path=PATHS["logs"], grpc_encoding="gzip")
    assert_success(answer)
    assert db.execute("SELECT count(*), sum(length(body_text)) FROM otel_logs_fact").fetchone() == (60, 60 << 20)
    assert_healthy(starling)


@pytest.mark.parametrize(("frame_size", "pad_length"), [(1, None), (3, 0), (1, 255), (16_384, None), (1000, 7)])
def test_any_split_of_the_data(client, starling, db, frame_size, pad_length):
    request = otlp.request("traces", [otlp.span() for _ in range(10)])
    response = exported(client, starling, "traces", request, frame_size=frame_size, pad_length=pad_length)
    assert response.SerializeToString() == b""
    assert_same(request, rebuild.traces(db))


def test_empty_frames_and_trailers_from_the_client(client, starling, db):
    request = otlp.request("traces")
    stream_id = client.open(headers(starling.port))
    client.send(stream_id, b"")
    client.send(stream_id, frame(request.SerializeToString())[:7])
    client.send(stream_id, b"")
    client.send(stream_id, b"", pad_length=10)
    client.send(stream_id, frame(request.SerializeToString())[7:])
    client.send_trailers(stream_id, [("x-trailer", "value")])
    assert_success(Answer(client.wait(stream_id)))
    assert_same(request, rebuild.traces(db))


@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc+proto"])
def test_content_types(client, starling, db, content_type):
    exported(client, starling, "traces", otlp.request("traces"), content_type=content_type)


def test_header_order_does_not_matter(client, starling, db):
    """c-core sends :path first."""
    for rotation in range(4):
        head = headers(starling.port)
        pseudo, rest = head[:4], head[4:]
        stream_id = client.open(pseudo[rotation:] + pseudo[:rotation] + rest[::-1])
        client.send(stream_id, frame(otlp.request("traces").SerializeToString()), end_stream=True)
        assert_success(Answer(client.wait(stream_id)))


def test_plain_message_although_gzip_is_declared(client, starling, db):
    exported(client, starling, "traces", otlp.request("traces"), grpc_encoding="gzip")


@pytest.mark.parametrize("signal", SIGNALS)
def test_gzip(client, starling, db, signal):
    request = otlp.request(signal)
    answer = call(client, starling, gzipped(request.SerializeToString()), path=PATHS[signal], grpc_encoding="gzip")
    assert_success(answer)
    assert answer.stream.data == bytes(5)


def test_many_requests_one_after_the_other(client, starling, db):
    requests = [otlp.request("traces") for _ in range(300)]
    for request in requests:
        exported(client, starling, "traces", request)
    assert_same(merge(requests), rebuild.traces(db))


def test_hundred_streams_at_a_time(client, starling, db):
    """All open before the first is finished, their frames interleaved."""
    requests = [otlp.request("traces", [otlp.span() for _ in range(5)]) for _ in range(STREAM_COUNT)]
    wires = [frame(request.SerializeToString()) for request in requests]
    stream_ids = [client.open(headers(starling.port)) for _ in requests]
    for start in range(0, max(map(len, wires)), 100):
        for stream_id, wire in zip(stream_ids, wires):
            if start < len(wire):
                client.send(stream_id, wire[start:start + 100], end_stream=start + 100 >= len(wire))
    for stream_id in stream_ids:
        assert_success(Answer(client.wait(stream_id)))
    assert_same(merge(requests), rebuild.traces(db))


def test_hundred_streams_from_grpcio(export, db):
    requests = [otlp.request("metrics", [otlp.gauge(point_count=3)]) for _ in range(STREAM_COUNT)]
    calls = [export.method(request).future(request, timeout=60) for request in requests]
    assert all(call.result().SerializeToString() == b"" for call in calls)
    assert db.execute("SELECT count(*) FROM otel_metrics_data_points_number").fetchone() == (3 * STREAM_COUNT,)


def test_many_connections(starling, db):
    clients = [starling.client() for _ in range(60)]
    for client in clients:
        exported(client, starling, "traces", otlp.request("traces"))
    for client in clients:
        client.close()
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (60,)


def test_pings_and_small_window_updates_as_real_clients_send_them(client, starling, db):
    """grpc-go and c-core ping right after a response, c-core updates windows by five bytes."""
    for _ in range(60):
        exported(client, starling, "traces", otlp.request("traces"))
        client.h2.increment_flow_control_window(5)
        client.ping()
    assert not client.goaways


def start(client, server, name, **head):
    """Sends an export of one span called `name`; the stream id."""
    stream_id = client.open(headers(server.port, **head))
    wire = otlp.request("traces", [otlp.span(name=name)]).SerializeToString()
    client.send(stream_id, frame(wire), end_stream=True)
    return stream_id


def test_past_its_deadline_nothing_is_written(client, starling, db):
    """The writer is held up by the first; the second's time runs out while it waits in the ring."""
    with blocked(starling.database):
        first = start(client, starling, "in time")
        wait_for_blocked(starling.database)
        late = Answer(client.wait(start(client, starling, "too late", grpc_timeout="200m")))
        if late.stream.reset_code != ErrorCodes.CANCEL:
            assert_error(late, [DEADLINE_EXCEEDED])
    assert_success(Answer(client.wait(first)))
    assert_success(Answer(client.wait(start(client, starling, "afterwards"))))
    assert names(db) == {"in time", "afterwards"}


def test_cancelled_before_its_turn_nothing_is_written(client, starling, db):
    with blocked(starling.database):
        first = start(client, starling, "kept")
        wait_for_blocked(starling.database)
        cancelled = start(client, starling, "cancelled")
        client.ping()
        client.reset(cancelled)
        client.ping()
    assert_success(Answer(client.wait(first)))
    assert_success(Answer(client.wait(start(client, starling, "afterwards"))))
    assert names(db) == {"kept", "afterwards"}


def test_client_that_disappears_while_its_request_waits(client, starling, db):
    with blocked(starling.database):
        first = start(client, starling, "kept")
        wait_for_blocked(starling.database)
        with starling.client() as gone:
            start(gone, starling, "gone")
            gone.ping()
    assert_success(Answer(client.wait(first)))
    assert_success(Answer(client.wait(start(client, starling, "afterwards"))))
    assert {"kept", "afterwards"} <= names(db) <= {"kept", "afterwards", "gone"}
    assert_healthy(starling)


def test_deadline_over_grpcio(export, starling, db):
    with blocked(starling.database):
        first = export.method(otlp.request("traces")).future(otlp.request("traces"), timeout=60)
        wait_for_blocked(starling.database)
        with pytest.raises(grpc.RpcError) as caught:
            export(otlp.request("traces"), timeout=0.3)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert first.result().SerializeToString() == b""


def test_requests_that_wait_share_the_next_commit(client, starling, db):
    """Group commit: what gathers while the writer is busy goes into one transaction."""
    with blocked(starling.database):
        stream_ids = [start(client, starling, "first")]
        wait_for_blocked(starling.database)
        stream_ids += [start(client, starling, f"waiting {number}") for number in range(50)]
        client.ping()
    for stream_id in stream_ids:
        assert_success(Answer(client.wait(stream_id)))
    transactions = db.execute("SELECT count(DISTINCT xmin::text) FROM otel_spans_fact").fetchone()[0]
    assert len(names(db)) == 51 and transactions <= 5
