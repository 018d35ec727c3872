# SPDX-License-Identifier: Apache-2.0
"""Who is turned away because too many of its address are there: on the API, and before a TLS handshake."""

from contextlib import ExitStack
import http.client

from support.api import api_settings
from support.certificates import Authority
from support.daemon import free_port
from support.secure import connect, context, is_refused
from support.tls_world import FAILURES
from support.waiting import PATIENCE_SECONDS, eventually


class Asking:
    """A connection of listen.api that is kept."""

    def __init__(self, address, source):
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", address, timeout=PATIENCE_SECONDS, source_address=(source, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def get(self, path):
        self.connection.request("GET", path)
        return self.connection.getresponse().read().decode()

    def is_served(self):
        try:
            return self.get("/livez") != ""
        except (ConnectionError, http.client.HTTPException):
            return False


def test_one_address_leaves_places_at_the_api(start_server, database):
    settings, api = api_settings(**{"limits.api_connections_per_address_max": "2"})
    server = start_server(database, settings)

    def ask(source="127.0.0.1"):
        return Asking(api.address, source)
    # Who asked whether the daemon is ready has gone, but maybe is not counted out yet.
    with ExitStack() as stack:
        first, second = stack.enter_context(ask()), stack.enter_context(ask())
        for asking in (first, second):
            eventually(asking.is_served, "the places of the address to be free")
        with ask() as third:
            assert not third.is_served()
        # Another address of the loopback has a count of its own.
        other = stack.enter_context(ask("127.0.0.2"))
        refused = 'starling_connections_refused_total{reason="api_address"}'
        lines = dict(line.rsplit(" ", 1) for line in other.get("/metrics").splitlines() if line[:1] != "#")
        assert int(lines[refused]) >= 1
        second.connection.close()

        def is_free():
            with ask() as again:
                return again.is_served()
        eventually(is_free, "the place to be free again")
        assert first.is_served()
    assert "limits.api_connections_per_address_max" in server.daemon.output()
    assert server.daemon.stop() == 0


def test_who_is_turned_away_has_not_failed_its_handshake(start_server, database, tmp_path):
    """Over both protocols: a handshake that the daemon breaks off is no mistake of the client's."""
    authority, port = Authority(tmp_path), free_port()
    pair = authority.server()
    settings, api = api_settings(**{
        "listen.http": f"127.0.0.1:{port}", "limits.connections_per_address_max": "1",
        "tls.certificate_file": pair.certificate, "tls.key_file": pair.key, "tls.listeners": "grpc, http"})
    server = start_server(database, settings)

    def count(name):
        return sum(value for key, value in api.metrics().items() if key.startswith(name))
    eventually(lambda: count("starling_connections_accepted_total") == count("starling_connections_closed_total"),
               "the end of whoever asked whether the daemon is up")
    failed = count(FAILURES)
    made = context(authority, protocols=("h2", "http/1.1"))
    with connect(server.port, made) as first:
        assert first.recv(1), "the server's SETTINGS"
        assert is_refused(server.port, made) and is_refused(port, made)
        assert count('starling_connections_refused_total{reason="address"}') == 2
    eventually(lambda: not is_refused(server.port, made), "the place to be free again")
    assert count(FAILURES) == failed
    assert server.daemon.stop() == 0
