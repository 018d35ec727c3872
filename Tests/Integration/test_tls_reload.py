# SPDX-License-Identifier: Apache-2.0
"""New certificates without a restart, by SIGHUP and by the files alone, while connections are in use."""

import signal
import socket
import threading

import pytest

from conftest import Export
from support import otlp
from support.certificates import Authority, Pair
from support.secure import connect, context, is_refused, secure_channel
from support.tls_world import World
from support.waiting import PATIENCE_SECONDS, eventually


@pytest.fixture
def world(tmp_path, start_server, database):
    """Looks at its files all the time."""
    return World(tmp_path, start_server, database, reload_interval="500ms")


@pytest.fixture
def patient(tmp_path, start_server, database):
    """Looks at its files on SIGHUP only."""
    return World(tmp_path, start_server, database, reload_interval="1d")


def hang_up(server):
    """SIGHUP; returns when the daemon says that it is done."""
    count = server.daemon.notify.lines.count("READY=1")
    server.daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.daemon.notify.lines.count("READY=1") > count, "READY=1 after the reload")


def serial(world, looks=None):
    """The serial number of the certificate that a new connection sees; counted in `looks`."""
    if looks is not None:
        looks.append(1)
    with connect(world.starling.port, context(world.authority)) as client:
        return client.getpeercert()["serialNumber"]


class Traffic:
    """Calls on one connection all the time, until told to stop."""

    def __init__(self, world):
        self.channel = secure_channel(world.starling, world.authority)
        self.call_count = 0
        self.error = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        export = Export(self.channel)
        try:
            while not self.stopping.is_set():
                export(otlp.request("traces"))
                self.call_count += 1
        except BaseException as error:
            self.error = error

    def more(self, count=5):
        target = self.call_count + count
        eventually(lambda: self.error or self.call_count >= target, f"{count} more calls")
        assert self.error is None, self.error

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.channel.close()
        assert self.error is None, self.error


def test_files_that_change_are_taken_under_load(world):
    old, fresh, looks = serial(world), world.authority.server("fresh"), []
    handshakes = world.count("starling_tls_handshakes_total")
    traffic = [Traffic(world) for _ in range(4)]
    for one in traffic:
        one.more()
    fresh.copy_to(world.server_pair)
    eventually(lambda: serial(world, looks) != old, "the new certificate")
    for one in traffic:
        one.more()
        one.stop()
    # Each of the four has kept its one connection.
    assert world.count("starling_tls_handshakes_total") - handshakes == 4 + len(looks)
    assert world.count('starling_tls_reloads_total{result="taken"}') >= 1


def test_sighup_takes_new_files(patient):
    old, fresh = serial(patient), patient.authority.server("fresh")
    traffic = Traffic(patient)
    traffic.more()
    fresh.copy_to(patient.server_pair)
    assert serial(patient) == old
    hang_up(patient.starling)
    assert serial(patient) != old
    traffic.more()
    traffic.stop()


@pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_bad_file_leaves_the_old_certificate_in_force(world, content):
    old, good = serial(world), world.server_pair.certificate.read_bytes()
    fresh = world.server_pair.certificate.with_suffix(".new")
    fresh.write_text(content)
    fresh.rename(world.server_pair.certificate)
    eventually(lambda: world.count('starling_tls_reloads_total{result="refused"}') == 1, "the refusal")
    assert "tls.certificate_file" in world.starling.daemon.stderr()
    assert serial(world) == old
    world.assert_serves()
    world.server_pair.certificate.write_bytes(good)
    eventually(lambda: world.count('starling_tls_reloads_total{result="taken"}') >= 1, "the good file")
    world.assert_serves()


def test_a_file_that_is_gone_and_a_key_of_another(world):
    old, fresh = serial(world), world.authority.server("fresh")
    key = world.server_pair.key.read_bytes()
    world.server_pair.key.unlink()
    eventually(lambda: "No such file" in world.starling.daemon.stderr(), "the reason in the log")
    world.server_pair.key.write_bytes(fresh.key.read_bytes())
    eventually(lambda: "does not belong to the certificate" in world.starling.daemon.stderr(), "the reason")
    assert serial(world) == old
    world.server_pair.key.write_bytes(key)
    eventually(lambda: world.count('starling_tls_reloads_total{result="taken"}') >= 1, "the old key")
    assert serial(world) == old


def test_sighup_with_a_bad_file_changes_nothing(patient):
    old = serial(patient)
    patient.server_pair.certificate.write_text("nothing")
    hang_up(patient.starling)
    assert "the configuration stays as it was" in patient.starling.daemon.stderr()
    assert "there is no certificate in it" in patient.starling.daemon.stderr()
    assert patient.count('starling_tls_reloads_total{result="refused"}') == 1
    assert serial(patient) == old


def test_a_certificate_that_is_revoked_meanwhile(tmp_path, start_server, database):
    """A new list shuts out who was let in before, and leaves the others."""
    authority_folder = tmp_path / "servers"
    clients = Authority(tmp_path / "clients", "Authority of agents")
    agent, other = clients.issue("agent"), clients.issue("other")
    crl = clients.revocations()
    world = World(authority_folder, start_server, database, client_auth="required", crl_file=crl,
                  client_ca_file=clients.certificate, reload_interval="500ms")
    world.assert_serves(agent)
    clients.revoke(agent)
    clients.revocations()
    eventually(lambda: is_refused(world.starling.port, context(world.authority, agent)), "the refusal")
    world.assert_serves(other)


def test_a_slow_handshake_is_cut(tmp_path, start_server, database):
    world = World(tmp_path, start_server, database, handshake_timeout="200ms")
    with socket.create_connection(("127.0.0.1", world.starling.port), timeout=PATIENCE_SECONDS) as silent:
        with socket.create_connection(("127.0.0.1", world.starling.port), timeout=PATIENCE_SECONDS) as slow:
            slow.sendall(b"\x16\x03\x01")
            assert slow.recv(1) == b"" and silent.recv(1) == b""
    assert world.failures("timeout") == 2
    world.assert_serves()


def test_a_drain_does_not_wait_for_handshakes(patient):
    """Neither for one that has not begun, nor for an idle connection."""
    with socket.create_connection(("127.0.0.1", patient.starling.port)), \
            connect(patient.starling.port, context(patient.authority)) as idle:
        assert idle.recv(1)
        patient.starling.daemon.terminate()
        while idle.recv(4096):
            pass
        assert patient.starling.daemon.wait() == 0


def test_a_pair_is_a_pair(tmp_path):
    """What these tests replace files with replaces both."""
    source, target = Pair(tmp_path / "a.pem", tmp_path / "a.key"), Pair(tmp_path / "b.pem", tmp_path / "b.key")
    source.certificate.write_text("certificate")
    source.key.write_text("key")
    source.copy_to(target)
    assert target.chain == b"certificate" and target.key.read_text() == "key"
