# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP as its clients speak it: requests as bytes, answers as they came."""

import base64
from dataclasses import dataclass
import gzip
import http.client
import json
import socket

from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from support.otlp import RESPONSES
from support.waiting import PATIENCE_SECONDS

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
HEX_FIELDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def content_type(self):
        return self.headers.get("content-type")

    def message(self, kind):
        """The body as a message, in whichever encoding it is."""
        if self.content_type == JSON:
            return json_format.ParseDict(json.loads(self.body), kind())
        assert self.content_type == PROTOBUF, self
        return kind.FromString(self.body)

    def response(self, signal):
        assert self.status == 200, self
        return self.message(RESPONSES[signal])

    def error(self, status):
        """The text of an error, which must be a google.rpc.Status."""
        assert self.status == status, self
        message = self.message(Status)
        assert message.code and message.message, self
        return message.message


class Connection:
    """A connection that is kept as long as the server keeps it; `tls` is a context of Python's ssl."""

    def __init__(self, port, tls=None):
        options = {"timeout": PATIENCE_SECONDS}
        self.http = (http.client.HTTPSConnection("127.0.0.1", port, context=tls, **options)
                     if tls else http.client.HTTPConnection("127.0.0.1", port, **options))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def request(self, method, path, body=None, headers=None):
        self.http.request(method, path, body, headers or {})
        return answer(self.http.getresponse())

    def post(self, signal, body, content_type=PROTOBUF, **headers):
        """`headers` have underscores for hyphens."""
        fields = {"content-type": content_type} | {name.replace("_", "-"): str(value)
                                                   for name, value in headers.items()}
        return self.request("POST", f"/v1/{signal}", body, fields)

    def export(self, signal, request, encoding=PROTOBUF, compressed=False):
        """The response to a message."""
        body = to_json(request).encode() if encoding == JSON else request.SerializeToString()
        headers = {"content_encoding": "gzip"} if compressed else {}
        result = self.post(signal, gzip.compress(body) if compressed else body, encoding, **headers)
        assert result.content_type == encoding, result
        return result.response(signal)


def answer(response):
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


class RawConnection:
    """A socket, and a reader of the answers that come through it. `address` is a port or a path."""

    def __init__(self, address):
        if isinstance(address, int):
            self.socket = socket.create_connection(("127.0.0.1", address))
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(str(address))
        self.socket.settimeout(PATIENCE_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def answer(self):
        """The next answer. Reads no byte beyond it."""
        response = http.client.HTTPResponse(Bytewise(self.socket), method="POST")
        response.begin()
        return answer(response)

    def head(self):
        """The lines of the next head, which may be an informational one."""
        return Bytewise(self.socket).head()

    def is_closed(self):
        """Waits for the end of the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Bytewise:
    """What HTTPResponse takes for a socket: its file reads a byte at a time, so that none is lost to a buffer."""

    def __init__(self, connection):
        self.socket = connection

    def makefile(self, _):
        return UnbufferedFile(self.socket)

    def head(self):
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            assert byte, f"closed after {text}"
            text += byte
        return text.decode().splitlines()[:-1]


class UnbufferedFile:
    def __init__(self, connection):
        self.socket = connection

    def readline(self, limit=-1):
        line = b""
        while not line.endswith(b"\n") and len(line) != limit:
            byte = self.socket.recv(1)
            if not byte:
                break
            line += byte
        return line

    def read(self, count=-1):
        data = b""
        while count < 0 or len(data) < count:
            part = self.socket.recv(65536 if count < 0 else count - len(data))
            if not part:
                break
            data += part
        return data

    def readinto(self, buffer):
        part = self.read(len(buffer))
        buffer[:len(part)] = part
        return len(part)

    def flush(self):
        pass

    def close(self):
        pass


def head(signal="traces", content_type=PROTOBUF, **headers):
    """The text of a request's head; `headers` have underscores for hyphens."""
    lines = [f"POST /v1/{signal} HTTP/1.1", "host: test"]
    if content_type:
        lines.append(f"content-type: {content_type}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines) + "\r\n\r\n"


def posted(signal, body, **headers):
    """A whole request."""
    return head(signal, content_length=len(body), **headers).encode() + body


def to_json(request, **options):
    """OTLP/JSON: as protobuf's own mapping, but ids in hexadecimal and enumerations as numbers."""
    text = json_format.MessageToDict(request, use_integers_for_enums=True, **options)
    return json.dumps(with_hex_ids(text), ensure_ascii=False)


def with_hex_ids(value):
    if isinstance(value, list):
        return [with_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64decode(item).hex() if key in HEX_FIELDS else with_hex_ids(item)
            for key, item in value.items()}
