# SPDX-License-Identifier: Apache-2.0
"""The daemon's HTTP API as its clients see it: one request per connection, metrics as numbers."""

from dataclasses import dataclass
import http.client
import json
import socket

from prometheus_client.parser import text_string_to_metric_families

from support.daemon import free_port
from support.waiting import PATIENCE_SECONDS, eventually


@dataclass
class Answer:
    status: int
    headers: dict
    body: str

    @property
    def json(self):
        assert self.headers["Content-Type"] == "application/json", self.headers
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE_SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_SECONDS)
        self.sock.connect(str(self.path))


class API:
    """`address` is a port on the loopback or the path of a unix socket; `tls` is a context of Python's ssl."""

    def __init__(self, address, tls=None):
        self.address = address
        self.tls = tls

    def connect(self):
        """A connection that is kept as long as the daemon keeps it."""
        if not isinstance(self.address, int):
            return UnixConnection(self.address)
        if self.tls:
            return http.client.HTTPSConnection(
                "127.0.0.1", self.address, timeout=PATIENCE_SECONDS, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.address, timeout=PATIENCE_SECONDS)

    def request(self, path, method="GET", **headers):
        connection = self.connect()
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def metrics(self, **headers):
        """Every sample of /metrics by its name and sorted labels, as `name` or `name{a="b"}`."""
        answer = self.request("/metrics", **headers)
        assert answer.status == 200, answer
        samples = {}
        for family in text_string_to_metric_families(answer.body):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                key = f"{sample.name}{{{labels}}}" if labels else sample.name
                assert key not in samples, f"{key} is there twice"
                samples[key] = sample.value
        return samples

    def failing(self, path="/readyz"):
        """The names of the checks that fail; the status must agree."""
        answer = self.request(path)
        names = {check["name"] for check in answer.json["checks"] if check["status"] != "ok"}
        assert answer.status == (503 if names else 200), answer
        return names

    def wait_ready(self):
        eventually(lambda: not self.failing(), "/readyz to be well")

    def wait_failing(self, *names):
        """Returns once these checks fail, all of them, whatever else does."""
        eventually(lambda: set(names) <= self.failing(), f"/readyz to fail for {names}")

    def wait_database(self, status):
        """The body of /health/db once it says `status`."""
        return eventually(lambda: self._database(status), f"/health/db to be {status}")

    def _database(self, status):
        answer = self.request("/health/db")
        assert answer.status == (200 if answer.json["status"] == "ok" else 503), answer
        return answer.json if answer.json["status"] == status else None


def api_settings(**settings):
    """Settings of a daemon with an API, and the API."""
    port = free_port()
    return {"listen.api": f"127.0.0.1:{port}"} | settings, API(port)
