# SPDX-License-Identifier: Apache-2.0
"""Calls over the raw client, good and bad, and the check that a bad one harmed nobody."""

from support import otlp
from support.grpcwire import PATHS, Answer, assert_success, frame, headers

BUDGET_BYTES = 256 << 20
# Connections, caches, libpq's buffers, and what malloc keeps for reuse.
OVERHEAD_BYTES_MAX = 64 << 20


def call(client, server, body, frame_size=None, pad_length=None, trailers=None, end_stream=True, **head):
    """One request with `body` (frames and all) as DATA; the answer. `head` goes to grpcwire.headers."""
    stream_id = client.open(headers(server.port, **head))
    client.send(stream_id, body, end_stream and trailers is None, frame_size, pad_length)
    if trailers is not None:
        client.send_trailers(stream_id, trailers)
    return Answer(client.wait(stream_id))


def export(client, server, signal, message, **options):
    """An Export with a message (serialized here unless it is bytes already)."""
    wire = message if isinstance(message, bytes) else message.SerializeToString()
    return call(client, server, frame(wire), path=PATHS[signal], **options)


def exported(client, server, signal, message, **options):
    """The response message of an Export that must succeed."""
    answer = export(client, server, signal, message, **options)
    assert_success(answer)
    return otlp.RESPONSES[signal].FromString(answer.body)


def assert_serves(client, server, db, span_count=0):
    """A good request is stored and answered: on the same connection if that is still open to requests.

    `span_count` spans must have been in the table before, no more.
    """
    if client.is_usable:
        assert_exports(client, server)
    else:
        with server.client() as other:
            assert_exports(other, server)
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (span_count + 1,)
    assert_healthy(server)


def assert_exports(client, server):
    assert exported(client, server, "traces", otlp.request("traces")).SerializeToString() == b""


def assert_healthy(server, budget_bytes=BUDGET_BYTES):
    """The daemon lives, and has at no time held more than its budget and a fixed overhead."""
    assert server.daemon.is_running(), server.daemon.output()
    peak_bytes = server.daemon.resident_peak_bytes()
    assert peak_bytes < budget_bytes + OVERHEAD_BYTES_MAX, f"the peak was {peak_bytes >> 20} MiB"
