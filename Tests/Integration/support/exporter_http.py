# SPDX-License-Identifier: Apache-2.0
"""The clients of support.exporter over OTLP/HTTP: the same rules, the statuses of HTTP."""

import http.client

import grpc

from support.exporter import Client, Code
from support.otlp import RESPONSES

# OTLP specification, "OTLP/HTTP Response"; all of them may come again.
CODES = {429: Code.RESOURCE_EXHAUSTED, 502: Code.UNAVAILABLE, 503: Code.UNAVAILABLE, 504: Code.DEADLINE_EXCEEDED}


class Failed(grpc.RpcError):
    """An attempt that came to nothing, as support.exporter knows such; `delay_seconds` where the daemon said one."""

    def __init__(self, code, delay_seconds=None):
        super().__init__(code)
        self.delay_seconds = delay_seconds
        self._code = code

    def code(self):
        return self._code

    def retry_info(self):
        return self.delay_seconds


class HTTPClient(Client):
    """A kept connection of HTTP/1.1, which ends with the first attempt that fails."""

    def __init__(self, load, number, rng):
        super().__init__(load, number, rng)
        assert load.habits.cancel_share == load.habits.hurry_share == 0, "those habits are of gRPC's clients"

    def perform(self, signal, body, timeout):
        connection = self.channel
        if connection.sock is None:
            connection.timeout = timeout
        try:
            connection.request("POST", f"/v1/{signal}", body, {"content-type": "application/x-protobuf"})
            response = connection.getresponse()
            content = response.read()
        except TimeoutError:
            connection.close()
            raise Failed(Code.DEADLINE_EXCEEDED) from None
        except (OSError, http.client.HTTPException):
            connection.close()
            raise Failed(Code.UNAVAILABLE) from None
        if response.status == 200:
            return RESPONSES[signal].FromString(content)
        delay = response.getheader("retry-after")
        raise Failed(CODES.get(response.status, Code.INVALID_ARGUMENT), None if delay is None else int(delay))

    def connect(self):
        self.disconnect()
        self.connected_index = self.port_index
        port = self.load.ports[self.port_index % len(self.load.ports)]
        self.channel = http.client.HTTPConnection("127.0.0.1", port, timeout=self.load.habits.timeout_seconds)
