# SPDX-License-Identifier: Apache-2.0
"""Clients of other makers: nghttp and h2load (nghttp2), and the C++ gRPC library in a program of its own."""

from pathlib import Path
import re
import subprocess

import pytest

from support import otlp
from support.api import api_settings
from support.grpcwire import PATHS, frame
from support.daemon import clean_environment

ROOT = Path(__file__).resolve().parents[2]
EXPORTER = Path(__file__).parent / "clients" / "exporter.cc"
PROTOS = [f"opentelemetry/proto/{name}.proto" for name in (
    "common/v1/common", "resource/v1/resource", "trace/v1/trace", "collector/trace/v1/trace_service")]
GRPC_HEADERS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]


def run(*command, seconds=120, folder=None):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds,
                            env=clean_environment(), stdin=subprocess.DEVNULL, cwd=folder)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture
def observed(start_server, database):
    settings, api = api_settings()
    return start_server(database, settings), api


@pytest.fixture
def body(tmp_path):
    """The body of a call as a file."""
    path = tmp_path / "body"
    path.write_bytes(frame(otlp.request("traces").SerializeToString()))
    return path


def url(server):
    return f"http://{server.endpoint}{PATHS['traces']}"


def test_nghttp(starling, db, body):
    output = run("nghttp", "-v", "-d", body, *GRPC_HEADERS, url(starling))
    assert re.search(r"recv .*:status: 200", output) and re.search(r"recv .*grpc-status: 0", output), output
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)


@pytest.mark.parametrize("connections, streams", [(1, 1), (4, 25), (1, 100)])
def test_h2load(observed, db, body, connections, streams):
    """One request a thousand times: all answered, one stored, on connections that nobody ends."""
    server, api = observed
    output = run("h2load", "-n", 1000, "-c", connections, "-m", streams, "-d", body, *GRPC_HEADERS, url(server))
    assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in output, output
    assert "status codes: 1000 2xx" in output, output
    metrics = api.metrics()
    assert metrics['starling_requests_answered_total{outcome="accepted"}'] == 1000
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)
    assert not [name for name, value in metrics.items() if "connections_aborted" in name and value]


@pytest.fixture(scope="session")
def exporter(tmp_path_factory):
    """A program that exports through grpc++, compiled from the published interface files."""
    folder = tmp_path_factory.mktemp("exporter")
    plugin = run("which", "grpc_cpp_plugin").strip()
    run("protoc", "-I", ROOT / "proto", f"--cpp_out={folder}", f"--grpc_out={folder}",
        f"--plugin=protoc-gen-grpc={plugin}", *PROTOS)
    # Messages of all, the service of one.
    sources = [*folder.rglob("*.pb.cc")]
    sources = [path for path in sources if not path.name.endswith(".grpc.pb.cc") or "service" in path.name]
    flags = run("pkg-config", "--cflags", "--libs", "grpc++", "protobuf").split()
    run("g++", "-std=c++17", "-O0", "-I", folder, *sources, EXPORTER, "-o", folder / "exporter", *flags, seconds=600)
    return folder / "exporter"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_cpp_grpc(observed, db, exporter, compression):
    """64 calls at a time on one channel, as the C++ SDK's asynchronous exporter makes them."""
    server, api = observed
    output = run(exporter, server.endpoint, 64, 100, compression)
    assert output == "acknowledged: 6400\n"
    assert db.execute("SELECT count(*), count(DISTINCT trace_id) FROM otel_spans_fact").fetchone() == (6400, 6400)
    assert not [name for name, value in api.metrics().items() if "connections_aborted" in name and value]


def test_cpp_grpc_reports_a_failure(start_server, database, exporter):
    """Otherwise the test above would prove nothing."""
    server = start_server(database, {"limits.request_bytes_max": "1KiB"})
    output = run(exporter, server.endpoint, 2, 100, "none")
    assert output.count("failed: 8 ") == 2 and output.endswith("acknowledged: 0\n"), output
