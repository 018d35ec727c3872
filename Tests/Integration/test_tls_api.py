# SPDX-License-Identifier: Apache-2.0
"""TLS on listen.api, and the verbs of the command as TLS clients."""

import json
import re
import socket
import ssl
import subprocess

import pytest

from support.certificates import Authority
from support.daemon import free_port, run
from support.secure import connect, context
from support.waiting import PATIENCE_SECONDS, eventually


class World:
    """A daemon with TLS on both listeners, where clients have to show a certificate if `is_mutual`."""

    def __init__(self, folder, start_server, database, is_mutual=False, **settings):
        self.authority = Authority(folder / "ca")
        self.pair = self.authority.server()
        self.agent = self.authority.issue("agent")
        self.port = free_port()
        self.settings = {"listen.api": f"127.0.0.1:{self.port}", "tls.certificate_file": self.pair.certificate,
                         "tls.key_file": self.pair.key, **settings}
        if is_mutual:
            self.settings |= {"tls.client_auth": "required", "tls.client_ca_file": self.authority.certificate}
        self.server = start_server(database, self.settings)

    @property
    def sets(self):
        return [part for key, value in self.settings.items() for part in ("--set", f"{key}={value}")]

    @property
    def trust(self):
        return ["--ca-file", str(self.authority.certificate)]

    @property
    def shown(self):
        return ["--certificate-file", str(self.agent.certificate), "--key-file", str(self.agent.key)]

    def curl(self, path, *options):
        return subprocess.run(["curl", "-sS", "--cacert", str(self.authority.certificate), *options,
                               f"https://localhost:{self.port}{path}"], capture_output=True, text=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory, start_server, database):
    return World(tmp_path_factory.mktemp("tls"), start_server, database)


@pytest.fixture(scope="module")
def mutual(tmp_path_factory, start_server, database):
    return World(tmp_path_factory.mktemp("tls"), start_server, database, is_mutual=True,
                 **{"tls.handshake_timeout": "300ms"})


@pytest.mark.parametrize("options", [(), ("--http1.1",), ("--no-alpn",), ("--tls-max", "1.2")])
def test_curl(world, options):
    answer = world.curl("/livez", *options)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["status"] == "ok"


def test_curl_reads_all_metrics_and_keeps_its_connection(world):
    answer = subprocess.run(
        ["curl", "-sS", "-v", "--cacert", str(world.authority.certificate)]
        + [f"https://localhost:{world.port}/metrics"] * 3, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("\nprocess_start_time_seconds ") == 3
    assert "Re-using existing connection" in answer.stderr
    end = re.search(r"^starling_tls_certificate_not_after_seconds (\d+)$", answer.stdout, re.M)
    with connect(world.port, context(world.authority, protocols=("http/1.1",))) as client:
        assert ssl.cert_time_to_seconds(client.getpeercert()["notAfter"]) == int(end.group(1))


def test_http2_is_not_spoken_there(world):
    with pytest.raises(ssl.SSLError):
        connect(world.port, context(world.authority, protocols=("h2",)))
    with connect(world.port, context(world.authority, protocols=("h2", "http/1.1"))) as client:
        assert client.selected_alpn_protocol() == "http/1.1"


def test_plain_http_is_cut(world):
    with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100) == b""
    metrics = world.curl("/metrics").stdout
    assert 'starling_tls_handshake_failures_total{reason="not_tls"} 0' not in metrics


def test_a_request_in_many_pieces(world):
    with connect(world.port, context(world.authority, protocols=("http/1.1",))) as client:
        for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            client.sendall(bytes([byte]))
        answer = b""
        while piece := client.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_slow_handshake_is_cut(mutual):
    with socket.create_connection(("127.0.0.1", mutual.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(b"\x16\x03")
        assert client.recv(100) == b""


def test_curl_with_and_without_a_certificate(mutual):
    answer = mutual.curl("/livez", "--cert", str(mutual.agent.certificate), "--key", str(mutual.agent.key))
    assert answer.returncode == 0, answer.stderr
    assert mutual.curl("/livez").returncode != 0


# --- starling status ----------------------------------------------------------------------------


def test_status_knows_its_own_daemon(world, binary):
    answer = run(binary, "status", *world.sets)
    assert answer.returncode == 0, answer.stderr
    assert "certificate" in answer.stdout and "expires in 29 d" in answer.stdout
    body = json.loads(run(binary, "status", "--json", *world.sets).stdout)
    assert body["certificate"]["names"] == ["localhost"]


def test_status_does_not_take_another_for_its_own(world, binary, tmp_path):
    other = Authority(tmp_path / "other").server()
    sets = [part.replace(str(world.pair.certificate), str(other.certificate)) for part in world.sets]
    answer = run(binary, "status", *sets)
    assert answer.returncode == 69 and "certificate" in answer.stderr


def test_status_over_https(world, binary):
    url = f"https://localhost:{world.port}"
    assert run(binary, "status", "--api", url, *world.trust).returncode == 0
    untrusted = run(binary, "status", "--api", url)
    assert untrusted.returncode == 69 and "certificate is not accepted" in untrusted.stderr
    named = run(binary, "status", "--api", f"127.0.0.1:{world.port}", "--tls", *world.trust,
                "--server-name", "elsewhere")
    assert named.returncode == 69 and "mismatch" in named.stderr


def test_status_with_a_certificate(mutual, binary):
    assert run(binary, "status", *mutual.sets).returncode == 69
    answer = run(binary, "status", *mutual.sets, *mutual.shown)
    assert answer.returncode == 0, answer.stderr


# --- starling send ------------------------------------------------------------------------------


def test_send_over_tls(world, binary, db):
    answer = run(binary, "send", "traces", "--count", "5000", "--connections", "3", "--compression", "gzip",
                 "--endpoint", f"https://localhost:{world.server.port}", *world.trust)
    assert answer.returncode == 0, answer.stderr
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (5000,)


def test_send_with_a_certificate(mutual, binary):
    url = ["--endpoint", f"https://localhost:{mutual.server.port}", "--count", "100"]
    assert run(binary, "send", "logs", *url, *mutual.trust, *mutual.shown).returncode == 0
    refused = run(binary, "send", "logs", *url, *mutual.trust)
    assert refused.returncode == 1 and "certificate required" in refused.stderr


def test_send_gives_up_on_whom_it_does_not_trust(world, binary):
    """At once: a name that is wrong stays wrong."""
    answer = run(binary, "send", "traces", "--give-up-after", "86400",
                 "--endpoint", f"https://localhost:{world.server.port}")
    assert answer.returncode == 1 and "certificate is not accepted" in answer.stderr


@pytest.mark.parametrize("options, problem", [
    (["--endpoint", "http://localhost:1", "--tls"], "http:// is without TLS"),
    (["--endpoint", "unix:/tmp/x", "--tls"], "unix sockets are without TLS"),
    (["--certificate-file", "/x"], "belong together"),
])
def test_options_that_contradict_each_other(binary, options, problem):
    answer = run(binary, "send", "traces", *options)
    assert answer.returncode == 64 and problem in answer.stderr


def test_a_file_that_is_not_there(binary):
    answer = run(binary, "send", "traces", "--ca-file", "/nowhere.pem")
    assert answer.returncode == 78 and "--ca-file /nowhere.pem" in answer.stderr


# --- starling config check ----------------------------------------------------------------------


def check(binary, database, *sets):
    return run(binary, "config", "check", *(part for each in sets for part in ("--set", each)),
               environment=database.environment)


def test_config_check_loads_the_files(world, binary, database):
    pair = world.pair
    good = [f"tls.certificate_file={pair.certificate}", f"tls.key_file={pair.key}"]
    assert check(binary, database, *good).returncode == 0
    for sets, key in ((["tls.certificate_file=/nowhere", good[1]], "tls.certificate_file"),
                      ([good[0], f"tls.key_file={world.agent.key}"], "tls.key_file")):
        answer = check(binary, database, *sets)
        assert answer.returncode == 78 and key in answer.stderr, answer.stderr


def test_config_check_notes_what_is_odd(world, binary, database):
    old = world.authority.issue("old", start="20190101000000Z", end="20200101000000Z")
    old.key.chmod(0o644)
    answer = check(binary, database, f"tls.certificate_file={old.certificate}", f"tls.key_file={old.key}")
    assert answer.returncode == 0
    assert "has expired" in answer.stderr and "every account" in answer.stderr


def test_unix_sockets_are_without_tls(world, binary, database, start_server, scratch):
    path = scratch / "api.sock"
    server = start_server(database, world.settings | {"listen.api": f"unix:{path}"})
    answer = run(binary, "status", "--api", f"unix:{path}")
    assert answer.returncode == 0, answer.stderr
    eventually(lambda: server.daemon.is_running(), "the daemon")
