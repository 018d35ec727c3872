# SPDX-License-Identifier: Apache-2.0
"""Each flood of OTLP/HTTP ends its connection at the limit that is meant for it, and is counted; others go on."""

import pytest

from support import otlp
from support.api import api_settings
from support.arsenal_http import HTTP_ATTACKS
from support.daemon import free_port
from support.floods import until_cut
from support.otlphttp import Connection, RawConnection

MIB = 1 << 20
# Attack → what the daemon counts it as.
FLOODS = {"http: dribbled chunks": "small_pieces", "http: answers not read": "pipelining",
          "http: garbage": "pipelining", "http: large heads": "pipelining", "http: refusals not read": "pipelining",
          "http: rapid reset": "protocol"}


@pytest.fixture(scope="module")
def observed(start_server, database):
    port = free_port()
    settings, api = api_settings(**{"listen.http": f"127.0.0.1:{port}"})
    start_server(database, settings)
    return port, api


def aborted(api, reason):
    return int(api.metrics()[f'starling_connections_aborted_total{{reason="{reason}"}}'])


@pytest.mark.parametrize("name", FLOODS)
def test_floods(observed, db, name):
    port, api = observed
    attack, before = HTTP_ATTACKS[name], aborted(api, FLOODS[name])
    until_cut(port, attack.opening(port), attack.repeated(port))
    assert aborted(api, FLOODS[name]) == before + 1
    request = otlp.request("traces")
    with Connection(port) as connection:
        connection.export("traces", request)
    trace_id = request.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
    assert db.execute("SELECT count(*) FROM otel_spans_fact WHERE trace_id = %s::uuid", [trace_id]).fetchone() == (1,)


def test_what_follows_an_upgrade_is_not_kept(observed):
    port, api = observed
    before = api.metrics()["process_resident_memory_bytes"]
    attack = HTTP_ATTACKS["http: behind an upgrade"]
    answer = until_cut(port, attack.opening(port), attack.repeated(port))
    assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close" in answer
    assert api.metrics()["process_resident_memory_bytes"] - before < 16 * MIB


def test_connections_that_are_cut_leave_nothing(observed):
    """Each with two hundred streams that have just begun."""
    port, api = observed
    # Twice as many streams as may be cancelled.
    opening = HTTP_ATTACKS["http: rapid reset"].opening(port)[:12_000]

    def cut(count):
        for _ in range(count):
            until_cut(port, opening)
        return api.metrics()["process_resident_memory_bytes"]

    # What stays for good is there after the first ones.
    first = cut(20)
    assert cut(40) - first < 4 * MIB


def test_small_pieces_are_told_to_come_back(observed):
    port, _ = observed
    attack = HTTP_ATTACKS["http: dribbled chunks"]
    with RawConnection(port) as raw:
        raw.send(attack.opening(port) + attack.repeated(port) * 4)
        answer = raw.answer()
        assert "too many pieces of less than 64 bytes" in answer.error(503)
        assert answer.headers["retry-after"] == "1" and answer.headers["connection"] == "close"
