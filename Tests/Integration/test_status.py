# SPDX-License-Identifier: Apache-2.0
"""`starling status`: one screen from the API, and what it says when nobody answers."""

import json
import socket
import threading

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.daemon import free_port, run

OK, FAILED, USAGE, UNREACHABLE = 0, 1, 64, 69


@pytest.fixture(scope="module")
def observed(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    with server.channel() as channel:
        for _ in range(3):
            Export(channel)(otlp.request("traces", [otlp.span() for _ in range(10)]))
    return server, api


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "http://127.0.0.1:{}/", "127.0.0.1:{}"])
def test_screen(binary, observed, form):
    server, api = observed
    result = run(binary, "status", "--api", form.format(api.address))
    assert result.returncode == OK and not result.stderr, result
    lines = {line[:13].strip(): line[13:].strip() for line in result.stdout.splitlines()}
    assert result.stdout.startswith("Starling 0.1.0, serving for ")
    assert lines["endpoints"] == f"grpc {server.endpoint}, api 127.0.0.1:{api.address}"
    assert lines["ready"] == "yes"
    assert lines["database"].startswith("ok, PostgreSQL ")
    assert lines["ack latency"].startswith("p50 ")
    assert lines["spans"].split()[1:] == ["30", "30", "0", "0"]
    assert {"partitions", "last commit", "ring", "memory", "connections", "writers"} <= set(lines)


def test_json(binary, observed):
    server, api = observed
    result = run(binary, "status", "--json", "--api", f"127.0.0.1:{api.address}")
    assert result.returncode == OK and not result.stderr, result
    status = json.loads(result.stdout)
    assert status["ready"] is True and status["not_ready"] == []
    assert status["listeners"]["grpc"] == server.endpoint
    assert status["signals"]["traces"]["committed"] == 30
    assert status["ack_latency_ms"]["p50"] <= status["ack_latency_ms"]["p99"]
    assert status["database"]["status"] == "ok"


def test_address_of_the_configuration(binary, observed):
    _, api = observed
    result = run(binary, "status", environment={"STARLING_LISTEN_API": f"127.0.0.1:{api.address}"})
    assert result.returncode == OK and result.stdout.startswith("Starling "), result


def test_unix_socket(binary, database, start_server, scratch):
    start_server(database, {"listen.api": f"unix:{scratch}/api"})
    result = run(binary, "status", "--api", f"unix:{scratch}/api")
    assert result.returncode == OK and f"unix:{scratch}/api" in result.stdout, result


def test_nobody_answers(binary, scratch):
    for address in (f"127.0.0.1:{free_port()}", f"unix:{scratch}/nothing"):
        result = run(binary, "status", "--api", address)
        assert result.returncode == UNREACHABLE and not result.stdout, result
        assert address in result.stderr and "listen.api" in result.stderr, result.stderr


@pytest.mark.parametrize("answer, expected", [
    (b"SSH-2.0-OpenSSH\r\n", "no HTTP server"), (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404")])
def test_somebody_else_answers(binary, answer, expected):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        result = run(binary, "status", "--api", f"127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert result.returncode == FAILED and expected in result.stderr, result


@pytest.mark.parametrize("arguments", [
    ["--api", ""], ["--api", "nowhere"], ["--api", "http://127.0.0.1:99999"], ["--set", "listen.api="],
    ["--set", "listen.api=127.0.0.1:0"], ["--jsn"]])
def test_wrong_usage(binary, arguments):
    result = run(binary, "status", *arguments)
    assert result.returncode == USAGE and result.stderr and not result.stdout, result


def test_help(binary):
    result = run(binary, "status", "--help")
    assert result.returncode == OK and "starling status --api" in result.stdout, result
