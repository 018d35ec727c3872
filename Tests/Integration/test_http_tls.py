# SPDX-License-Identifier: Apache-2.0
"""OTLP/HTTP over TLS, with both versions of HTTP."""

import http.client
import socket
import ssl
import subprocess

import pytest

from support import otlp, proxyheader, rebuild
from support.api import api_settings
from support.certificates import Authority
from support.daemon import free_port
from support.normal import assert_same
from support.otlphttp import JSON, PROTOBUF, to_json


class World:
    def __init__(self, folder, start_server, database, **settings):
        self.authority = Authority(folder)
        self.port = free_port()
        pair = self.authority.server()
        self.server = start_server(database, {
            "listen.http": f"127.0.0.1:{self.port}", "tls.certificate_file": pair.certificate,
            "tls.key_file": pair.key, "tls.listeners": "http"} | settings)

    def post(self, body, content_type, *options):
        """The status and the version of HTTP."""
        result = subprocess.run(
            ["curl", "-sS", "--max-time", "30", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
             "--cacert", str(self.authority.certificate), "-H", f"content-type: {content_type}",
             "--data-binary", "@-", *options, f"https://localhost:{self.port}/v1/traces"],
            input=body, capture_output=True, timeout=60)
        assert result.returncode == 0, result.stderr.decode()
        return result.stdout.decode()


@pytest.fixture(scope="module")
def world(tmp_path_factory, start_server, database):
    world = World(tmp_path_factory.mktemp("tls"), start_server, database)
    yield world
    assert world.server.daemon.stop() == 0, world.server.daemon.output()


@pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2", "2"), ("--no-alpn", "1.1")])
@pytest.mark.parametrize("encoding", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_curl(world, db, encoding, option, version):
    request = otlp.request("traces", [otlp.span(trace_state="x" * 500) for _ in range(2000)])
    body = to_json(request).encode() if encoding == JSON else request.SerializeToString()
    assert world.post(body, encoding, option) == f"200 {version}"
    assert_same(request, rebuild.traces(db))


def test_errors(world):
    assert world.post(b"[]", JSON) == "400 2"
    assert world.post(b"[]", "text/plain", "--http1.1") == "415 1.1"


def test_a_slow_handshake_is_cut(tmp_path, start_server, database):
    settings, api = api_settings(**{"tls.handshake_timeout": "300ms"})
    world = World(tmp_path, start_server, database, **settings)
    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as silent:
        assert silent.recv(1) == b""
    assert api.metrics()['starling_tls_handshake_failures_total{reason="timeout"}'] == 1
    assert world.server.daemon.stop() == 0, world.server.daemon.output()


def test_a_proxy_speaks_before_tls(tmp_path, start_server, database):
    world = World(tmp_path, start_server, database, **{"listen.proxy_protocol": "true"})
    context = ssl.create_default_context(cafile=world.authority.certificate)
    body = otlp.request("traces").SerializeToString()
    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as plain:
        plain.sendall(proxyheader.of("192.0.2.1"))
        connection = http.client.HTTPConnection("localhost", world.port)
        connection.sock = context.wrap_socket(plain, server_hostname="localhost")
        connection.request("POST", "/v1/traces", body, {"content-type": PROTOBUF})
        assert connection.getresponse().status == 200
        connection.close()
    assert world.server.daemon.stop() == 0, world.server.daemon.output()
