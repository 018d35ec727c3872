# SPDX-License-Identifier: Apache-2.0
"""gRPC as bytes: message framing, and what a response on a raw stream means."""

import base64
import gzip
import re
import struct
from urllib.parse import unquote_to_bytes

from google.rpc import error_details_pb2, status_pb2

PATHS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED = 0, 1, 2, 3, 4
RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 12, 13, 14

RETRY_INFO_URL = "type.googleapis.com/google.rpc.RetryInfo"
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 1, 5
STATUS_MESSAGE_SIZE_BYTES_MAX = 4096


def frame(message, flag=0):
    """A message behind its five-byte prefix."""
    return struct.pack(">BI", flag, len(message)) + message


def gzipped(message):
    """A compressed message behind its prefix."""
    return frame(gzip.compress(message, mtime=0), flag=1)


def headers(port, path=PATHS["traces"], method="POST", content_type="application/grpc", **more):
    """A request header list. A keyword of None leaves its header out; `grpc_timeout` is grpc-timeout."""
    result = [(":method", method), (":scheme", "http"), (":path", path), (":authority", f"127.0.0.1:{port}"),
              ("te", "trailers")]
    if content_type is not None:
        result.append(("content-type", content_type))
    return result + [(name.replace("_", "-"), value) for name, value in more.items() if value is not None]


class Answer:
    """A finished stream, read as a gRPC client does."""

    def __init__(self, stream):
        self.stream = stream
        self.is_trailers_only = stream.is_trailers_only
        self.headers = dict(stream.headers or [])
        self.trailers = dict(stream.trailers or []) if not stream.is_trailers_only else self.headers
        self.http_status = int(self.headers.get(":status", 0))
        code = self.trailers.get("grpc-status")
        self.code = None if code is None else int(code)

    @property
    def message(self):
        return unquote_to_bytes(self.trailers.get("grpc-message", "")).decode()

    @property
    def body(self):
        """The one message of a successful call."""
        data = self.stream.data
        assert len(data) >= 5, f"no message: {data!r}"
        flag, size = struct.unpack(">BI", data[:5])
        assert flag == 0 and size == len(data) - 5, f"not one plain message: {data!r}"
        return data[5:]

    @property
    def status(self):
        """google.rpc.Status out of grpc-status-details-bin, or None."""
        value = self.trailers.get("grpc-status-details-bin")
        if value is None:
            return None
        status = status_pb2.Status.FromString(base64.b64decode(value + "=" * (-len(value) % 4), validate=True))
        assert status.code == self.code
        return status

    @property
    def retry_seconds(self):
        return retry_seconds(self.status)

    def __repr__(self):
        return (f"<http {self.http_status}, grpc-status {self.code}, {self.trailers.get('grpc-message')!r}, "
                f"reset {self.stream.reset_code}, headers {self.stream.headers}, data {self.stream.data[:40]!r}>")


def retry_seconds(status):
    """The delay of the RetryInfo in a google.rpc.Status (which may be None), or None."""
    for detail in status.details if status else []:
        if detail.type_url == RETRY_INFO_URL:
            info = error_details_pb2.RetryInfo.FromString(detail.value)
            return info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    return None


def assert_success(answer):
    """HEADERS, one message, trailers with grpc-status 0."""
    assert answer.code == OK, answer
    assert answer.http_status == 200, answer
    assert not answer.is_trailers_only, answer
    assert is_grpc(answer), answer
    assert answer.stream.reset_code is None, answer


def assert_error(answer, codes, http_status=200):
    """A well-formed Trailers-Only error with one of `codes`."""
    assert answer.http_status == http_status, answer
    assert answer.is_trailers_only and not answer.stream.data, answer
    assert answer.code in codes, answer
    assert answer.trailers["grpc-status"] == str(answer.code), "leading zeros"
    assert answer.stream.reset_code in (None, 0), answer
    if http_status == 200:
        assert is_grpc(answer), answer
    raw = answer.trailers.get("grpc-message", "")
    assert raw, f"an error without a message: {answer}"
    assert len(raw) <= STATUS_MESSAGE_SIZE_BYTES_MAX
    assert re.fullmatch(r"(?:[ -$&-~]|%[0-9A-Fa-f]{2})*", raw), f"not percent-encoded: {raw!r}"
    assert answer.message  # decodes as UTF-8
    if answer.code == UNAVAILABLE:
        assert RETRY_SECONDS_MIN <= answer.retry_seconds <= RETRY_SECONDS_MAX, answer
    else:
        assert answer.retry_seconds is None, f"a final error that asks for a retry: {answer}"


def is_grpc(answer):
    return answer.headers.get("content-type", "").startswith("application/grpc")
