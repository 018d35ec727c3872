# SPDX-License-Identifier: Apache-2.0
"""Where the daemon listens: unix sockets, IPv6, sockets of systemd, and behind a proxy."""

import http.client
import os
import signal
import socket
import stat
import struct
import subprocess

import pytest

from conftest import Server
from support import otlp, proxyheader
from support.api import api_settings
from support.daemon import Daemon, clean_environment, free_port, run
from support.h2client import ConnectionClosed
from support.otlphttp import Connection, RawConnection, head, posted
from support.rawcall import exported
from support.waiting import eventually


def export(client, server):
    assert exported(client, server, "traces", otlp.request("traces")).SerializeToString() == b""


def count(api, reason, family="connections_aborted"):
    return api.metrics()[f'starling_{family}_total{{reason="{reason}"}}']


def is_served(client):
    try:
        client.ping()
        return True
    except (ConnectionClosed, ConnectionError):
        return False


# --- unix sockets --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["0600", "0666"])
def test_unix_socket_has_its_mode_and_serves_on_every_loop(start_server, database, scratch, mode):
    path = scratch / "otlp.sock"
    server = start_server(database, {"listen.grpc": f"unix:{path}", "listen.unix_mode": mode, "server.loops": "3",
                                     "limits.connections_per_address_max": "1"})
    assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
    clients = [server.client(path=path) for _ in range(12)]
    for client in clients:
        export(client, server)
        client.close()
    assert server.daemon.stop() == 0
    assert not path.exists()


def test_unix_socket_that_a_dead_daemon_left_is_replaced(start_server, database, scratch):
    path = scratch / "otlp.sock"
    settings = {"listen.grpc": f"unix:{path}"}
    server = start_server(database, settings)
    server.daemon.kill()
    assert path.exists()
    server = start_server(database, settings)
    with server.client(path=path) as client:
        export(client, server)
    assert server.daemon.stop() == 0


def test_unix_socket_in_use_is_not_taken(start_server, database, scratch, binary):
    path = scratch / "otlp.sock"
    server = start_server(database, {"listen.grpc": f"unix:{path}"})
    result = run(binary, "serve", "--set", f"listen.grpc=unix:{path}", "--set", "listen.api=",
                 environment=database.environment)
    assert result.returncode != 0 and str(path) in result.stderr and "listen.grpc" in result.stderr
    with server.client(path=path) as client:
        export(client, server)


# --- IPv6 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("listen, hosts", [("[::1]", ["::1"]), ("[::]", ["::1", "127.0.0.1"])])
def test_ipv6(start_server, database, listen, hosts):
    """The wildcard of IPv6 takes IPv4 as well."""
    port = free_port()
    server = start_server(database, {"listen.grpc": f"{listen}:{port}", "auth.allow_anonymous": "true"}, port)
    for host in hosts:
        with server.client(host=host) as client:
            export(client, server)


def test_ipv4_clients_are_counted_alike_on_a_wildcard(start_server, database):
    """A mapped address is the IPv4 address, not one of a /64 with all others."""
    port = free_port()
    server = start_server(
        database, {"listen.grpc": f"[::]:{port}", "limits.connections_per_address_max": "1",
                   "auth.allow_anonymous": "true"}, port)
    # One after the other: of two that come together either may be the one too many.
    with server.client(source="127.0.0.1") as first, server.client(source="127.0.0.2") as second:
        assert is_served(first) and is_served(second)
        with server.client(source="127.0.0.2") as third:
            assert not is_served(third)


# --- socket activation ---------------------------------------------------------------------------


class ActivatedDaemon(Daemon):
    """Started as by systemd: with sockets from descriptor 3 on, named, for its process."""

    def __init__(self, binary, database, folder, sockets, names, **settings):
        sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        moves = " ".join(f"{3 + index}<&{item.fileno()}" for index, item in enumerate(sockets))
        script = folder / "activate"
        # The shell becomes the daemon, so that LISTEN_PID is right.
        script.write_text(f"#!/bin/bash\nexport LISTEN_PID=$$ LISTEN_FDS={len(sockets)} LISTEN_FDNAMES={names}\n"
                          f'exec "$@" {moves}\n')
        script.chmod(0o755)
        super().__init__(script, [str(binary), "serve", *sets], database.environment, folder)
        self.pass_fds = [item.fileno() for item in sockets]


@pytest.fixture
def listening():
    """Sockets of systemd's: far from the descriptors 3 and up, where the shell puts them."""
    made = []

    def make(family=socket.AF_INET, address=("127.0.0.1", 0)):
        first = socket.socket(family)
        first.bind(address)
        first.listen(128)
        item = socket.socket(fileno=os.dup(first.fileno()))
        while item.fileno() < 50:
            made.append(item)
            item = socket.socket(fileno=os.dup(first.fileno()))
        made.append(first)
        made.append(item)
        return item

    yield make
    for item in made:
        item.close()


def test_socket_of_systemd_is_taken_over(binary, database, scratch, listening):
    item = listening()
    port = item.getsockname()[1]
    daemon = ActivatedDaemon(binary, database, scratch, [item], "grpc", **{"server.loops": "3"})
    server = Server(daemon, port, database)
    try:
        with server.client() as early:  # before the daemon is there: nobody is refused
            daemon.start()
            export(early, server)
            clients = [server.client() for _ in range(12)]
            for client in clients:
                export(client, server)
                client.close()
        assert daemon.stop() == 0, daemon.output()
        with server.client() as late:  # the socket is still open: the next daemon will serve it
            late.socket.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.socket.recv(1)
    finally:
        daemon.kill()


def test_socket_for_http_is_taken_over(binary, database, scratch, listening, db):
    grpc, http = listening(), listening()
    port = http.getsockname()[1]
    daemon = ActivatedDaemon(binary, database, scratch, [grpc, http], "grpc:http", **{"server.loops": "3"})
    requests = [otlp.request("traces") for _ in range(10)]
    try:
        with RawConnection(port) as early:  # before the daemon is there
            early.send(posted("traces", requests[0].SerializeToString()))
            daemon.start()
            assert early.answer().status == 200
            for request in requests[1:]:
                with Connection(port) as connection:
                    connection.export("traces", request)
            with Server(daemon, grpc.getsockname()[1], database).client() as client:
                assert is_served(client)
            with RawConnection(port) as late:
                late.send(head(content_length=1, expect="100-continue"))
                assert late.head()[0].startswith("HTTP/1.1 100 ")
                daemon.terminate()
                eventually(lambda: "STOPPING=1" in daemon.notify.lines, "the end to begin")
                late.send(b"x")
                assert late.answer().error(400)
        assert daemon.wait() == 0, daemon.output()
        with RawConnection(port):  # the socket is still open: the next daemon will serve it
            pass
    finally:
        daemon.kill()
    assert db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (10,)


def test_unix_socket_for_http_stays_in_place(binary, database, scratch, listening):
    path = scratch / "otlp-http.sock"
    item = listening(socket.AF_UNIX, str(path))
    daemon = ActivatedDaemon(binary, database, scratch, [item], "http", **{"listen.grpc": "", "listen.http": ""})
    try:
        daemon.start()
        assert "nothing is received" not in daemon.output()
        with RawConnection(path) as connection:
            connection.send(posted("traces", otlp.request("traces").SerializeToString()))
            assert connection.answer().status == 200
        assert daemon.stop() == 0 and path.exists()
    finally:
        daemon.kill()


def test_unix_socket_of_systemd_stays_in_place(binary, database, scratch, listening):
    path = scratch / "otlp.sock"
    item = listening(socket.AF_UNIX, str(path))
    daemon = ActivatedDaemon(binary, database, scratch, [item], "grpc")
    server = Server(daemon, 0, database)
    try:
        daemon.start()
        with server.client(path=path) as client:
            export(client, server)
        assert daemon.stop() == 0 and path.exists()
    finally:
        daemon.kill()


@pytest.mark.parametrize("names", ["otlp", "", "grpc:grpc", "api", "jaeger"])
def test_socket_that_is_not_understood_is_an_error(binary, database, scratch, listening, names):
    sockets = [listening() for _ in names.split(":")]
    daemon = ActivatedDaemon(binary, database, scratch, sockets, names)
    result = subprocess.run(daemon.command, env=clean_environment() | database.environment, timeout=60,
                            pass_fds=daemon.pass_fds, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert result.returncode != 0 and "systemd" in result.stderr, result


def test_a_socket_of_systemd_that_others_can_reach_has_to_ask(binary, database, scratch, listening):
    """listen.grpc, whose place it takes, is on the loopback."""
    item = listening(address=("0.0.0.0", 0))
    daemon = ActivatedDaemon(binary, database, scratch, [item], "grpc")
    result = subprocess.run(daemon.command, env=clean_environment() | database.environment, timeout=60,
                            pass_fds=daemon.pass_fds, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert result.returncode == 78, result
    for part in ("listen.grpc", f"0.0.0.0:{item.getsockname()[1]}", "auth.required", "systemd"):
        assert part in result.stderr, result.stderr


def test_descriptor_that_does_not_listen_is_an_error(binary, database, scratch, listening):
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        item = socket.socket(fileno=os.dup2(idle.fileno(), 60))
        daemon = ActivatedDaemon(binary, database, scratch, [item], "grpc")
        result = subprocess.run(daemon.command, env=clean_environment() | database.environment, timeout=60,
                                pass_fds=daemon.pass_fds, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        item.close()
    assert result.returncode != 0 and "the socket for grpc" in result.stderr, result


# --- behind a proxy ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxied(start_server, database):
    """(server, api) behind a proxy at 127.0.0.1, with one connection per client."""
    settings, api = api_settings(**{
        "listen.proxy_protocol": "true", "listen.proxy_addresses": "127.0.0.1, unix",
        "limits.connections_per_address_max": "1"})
    return start_server(database, settings), api


def test_client_behind_the_proxy_is_who_counts(proxied):
    server, api = proxied
    first = server.client(prefix=proxyheader.of("192.0.2.1"))
    export(first, server)
    with server.client(prefix=proxyheader.of("192.0.2.1")) as second:
        assert not is_served(second)
    with server.client(prefix=proxyheader.of("192.0.2.2")) as third:
        export(third, server)
    with server.client(prefix=proxyheader.of("2001:db8::1")) as fourth:
        assert is_served(fourth)
        with server.client(prefix=proxyheader.of("2001:db8::2")) as fifth:
            assert not is_served(fifth)
    first.close()
    assert count(api, "address", "connections_refused") == 2
    assert "192.0.2.1" in server.daemon.output()


@pytest.mark.parametrize("header", [
    proxyheader.of("198.51.100.1", fields=struct.pack(">BH", 0xEE, 300) + bytes(300)),
    proxyheader.with_checksum("198.51.100.1"),
    proxyheader.header(proxyheader.LOCAL, proxyheader.UNSPECIFIED, b""),
    proxyheader.header(proxyheader.PROXY, proxyheader.UNSPECIFIED, bytes(7)),
], ids=["fields", "checksum", "LOCAL", "PROXY without an address"])
def test_headers_that_are_taken(proxied, header):
    server, _ = proxied
    client = eventually(lambda: served(server, header), "its place to be free")
    export(client, server)
    client.close()


def served(server, header):
    client = server.client(prefix=header)
    if is_served(client):
        return client
    client.close()
    return None


def test_header_a_byte_at_a_time(proxied):
    server, _ = proxied
    header = proxyheader.of("198.51.100.7")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in header + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0":
            connection.sendall(bytes([byte]))
        assert connection.recv(9)[3] == 4  # SETTINGS


@pytest.mark.parametrize("opening, word", [
    (b"PROXY TCP4 192.0.2.1 127.0.0.1 50000 4317\r\n", "version 1"),
    (b"", "there is none"),
    (proxyheader.with_checksum("192.0.2.9")[:-1] + b"\0", "checksum"),
    (proxyheader.header(0x31, 0x11, bytes(12)), "version is 3"),
], ids=["version 1", "no header", "wrong checksum", "version 3"])
def test_anything_else_ends_the_connection_and_is_counted(start_server, database, opening, word):
    settings, api = api_settings(**{"listen.proxy_protocol": "true"})
    server = start_server(database, settings)
    with server.client(prefix=opening) as client:
        assert not is_served(client)
        assert not client.goaways, "nothing is sent before the header is right"
    assert count(api, "proxy_header") == 1
    assert word in server.daemon.output()
    assert server.daemon.stop() == 0


def test_nobody_else_can_connect(proxied):
    server, api = proxied
    before = count(api, "proxy", "connections_refused")
    with server.client(source="127.0.0.2", prefix=proxyheader.of("192.0.2.30")) as client:
        assert not is_served(client)
    assert count(api, "proxy", "connections_refused") == before + 1


def test_drain_waits_for_no_header(proxied, start_server, database):
    server = start_server(database, {"listen.proxy_protocol": "true"})
    with socket.create_connection(("127.0.0.1", server.port), timeout=30):
        server.daemon.process.send_signal(signal.SIGTERM)
        assert server.daemon.wait() == 0


# The same of OTLP/HTTP.


@pytest.fixture(scope="module")
def proxied_http(start_server, database):
    """(port of OTLP/HTTP, api, daemon) behind a proxy at 127.0.0.1, with one connection per client."""
    port = free_port()
    settings, api = api_settings(**{
        "listen.proxy_protocol": "true", "listen.proxy_addresses": "127.0.0.1", "listen.http": f"127.0.0.1:{port}",
        "limits.connections_per_address_max": "1"})
    return port, api, start_server(database, settings).daemon


def http_status(port, header, pieces=1, source="127.0.0.1"):
    """What an Export behind `header` is answered; None where the connection just ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0)) as connection:
        raw = RawConnection.__new__(RawConnection)
        raw.socket = connection
        try:
            for offset in range(0, len(header), -(-len(header) // pieces) or 1):
                raw.send(header[offset:offset + -(-len(header) // pieces)])
            raw.send(posted("traces", otlp.request("traces").SerializeToString()))
            return raw.answer().status
        except (ConnectionError, http.client.RemoteDisconnected):
            return None


def eventually_served(port, header, **options):
    """A place of the same client may be taken until the daemon has seen it go."""
    eventually(lambda: http_status(port, header, **options) == 200, "to be served")


def test_http_client_behind_the_proxy_is_who_counts(proxied_http):
    port, api, daemon = proxied_http
    before = count(api, "address", "connections_refused")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as first:
        raw = RawConnection.__new__(RawConnection)
        raw.socket = first
        raw.send(proxyheader.of("192.0.2.51") + posted("traces", otlp.request("traces").SerializeToString()))
        assert raw.answer().status == 200
        assert http_status(port, proxyheader.of("192.0.2.51")) is None
        assert http_status(port, proxyheader.of("192.0.2.52")) == 200
    assert count(api, "address", "connections_refused") == before + 1
    assert "192.0.2.51" in daemon.output()
    eventually_served(port, proxyheader.of("192.0.2.51"))


@pytest.mark.parametrize("header", [
    proxyheader.of("198.51.100.61", fields=struct.pack(">BH", 0xEE, 300) + bytes(300)),
    proxyheader.of("2001:db8::61"), proxyheader.with_checksum("198.51.100.62"),
    proxyheader.header(proxyheader.LOCAL, proxyheader.UNSPECIFIED, b""),
], ids=["fields", "IPv6", "checksum", "LOCAL"])
@pytest.mark.parametrize("pieces", [1, 28])
def test_headers_that_are_taken_over_http(proxied_http, header, pieces):
    eventually_served(proxied_http[0], header, pieces=pieces)


@pytest.mark.parametrize("opening", [
    b"", b"PROXY TCP4 192.0.2.1 127.0.0.1 50000 4317\r\n", proxyheader.header(0x31, 0x11, bytes(12)),
], ids=["no header", "version 1", "version 3"])
def test_anything_else_ends_the_connection_over_http(proxied_http, opening):
    port, api, _ = proxied_http
    before = count(api, "proxy_header")
    assert http_status(port, opening) is None
    assert count(api, "proxy_header") == before + 1


def test_nobody_else_can_connect_over_http(proxied_http):
    port, api, _ = proxied_http
    before = count(api, "proxy", "connections_refused")
    assert http_status(port, proxyheader.of("192.0.2.70"), source="127.0.0.2") is None
    assert count(api, "proxy", "connections_refused") == before + 1


def test_http_alone_can_be_without_a_proxy(start_server, database):
    port = free_port()
    settings, _ = api_settings(**{"listen.proxy_protocol": "true", "listen.proxy_listeners": "grpc",
                                  "listen.http": f"127.0.0.1:{port}"})
    server = start_server(database, settings)
    assert http_status(port, b"") == 200
    with server.client() as client:
        assert not is_served(client)
    assert server.daemon.stop() == 0


def test_only_otlp_is_received_behind_a_proxy(binary):
    result = run(binary, "config", "check", "--set", "listen.proxy_listeners=grpc, api")
    assert result.returncode == 78 and "listen.proxy_listeners" in result.stderr, result
    assert "Write grpc, http or both" in result.stderr
