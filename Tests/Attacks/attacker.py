# SPDX-License-Identifier: Apache-2.0
"""One attacker as a process of its own: sends an attack for some seconds and prints what that cost it.

    attacker.py NAME PORT SECONDS
"""

import errno
import json
import resource
import select
import socket
import sys
import time

from support.arsenal import ATTACKS
from support.arsenal_http import HTTP_ATTACKS

PIECE_SIZE_BYTES = 1 << 16
ANSWER_SECONDS = 0.3


class Sender:
    """One connection: what is to be sent, and how far that is."""

    def __init__(self, attack, opening, repeated, port):
        self.attack, self.repeated, self.queue, self.sent = attack, memoryview(repeated), memoryview(opening), 0
        self.ended_at = None
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setblocking(False)

    @property
    def wants_writing(self):
        return len(self.queue) > 0 or len(self.repeated) > 0

    def write(self):
        """Sends a piece; the bytes that went out."""
        if not self.queue:
            self.queue = self.repeated
        count = self.socket.send(self.queue[:PIECE_SIZE_BYTES])
        self.queue = self.queue[count:]
        if not self.wants_writing:
            self.ended_at = time.monotonic()
        return count

    def is_done(self, now):
        """All is sent, and the daemon has had time to answer."""
        return self.attack.returns and self.ended_at is not None and now > self.ended_at + ANSWER_SECONDS

    def is_open_after_reading(self):
        return bool(self.socket.recv(PIECE_SIZE_BYTES)) if self.attack.reads else self._is_open()

    def _is_open(self):
        return bool(self.socket.recv(1, socket.MSG_PEEK))


def run(attack, port, seconds):
    opening, repeated = attack.opening(port), attack.repeated(port)
    before = resource.getrusage(resource.RUSAGE_SELF)
    until = time.monotonic() + seconds
    result = (connect_and_close(port, until) if attack.connections == 0
              else send(attack, opening, repeated, port, until))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result | {"cpu_seconds": cpu}


def connect_and_close(port, until):
    count = 0
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            count += 1
        except OSError:
            pass
    return {"bytes": 0, "connections": count, "cut": 0}


def send(attack, opening, repeated, port, until):
    bytes_sent = connections = cut = 0
    senders = {}

    def connect():
        nonlocal connections
        try:
            sender = Sender(attack, opening, repeated, port)
        except OSError:
            return
        senders[sender.socket.fileno()] = sender
        connections += 1

    for _ in range(attack.connections):
        connect()
    while time.monotonic() < until:
        readable, writable, _ = select.select(
            [number for number, sender in senders.items() if attack.reads],
            [number for number, sender in senders.items() if sender.wants_writing], [], 0.05)
        ended = set()
        for number in readable + writable:
            sender = senders[number]
            try:
                if number in readable and not sender.is_open_after_reading():
                    ended.add(number)
                elif number in writable and sender.wants_writing:
                    bytes_sent += sender.write()
            except BlockingIOError:
                pass
            except OSError as error:
                assert error.errno in (errno.ECONNRESET, errno.EPIPE), error
                ended.add(number)
        cut += len(ended)
        now = time.monotonic()
        ended |= {number for number, sender in senders.items() if sender.is_done(now)}
        for number in ended:
            senders.pop(number).socket.close()
            if attack.returns:
                connect()
    for sender in senders.values():
        sender.socket.close()
    return {"bytes": bytes_sent, "connections": connections, "cut": cut}


if __name__ == "__main__":
    print(json.dumps(run((ATTACKS | HTTP_ATTACKS)[sys.argv[1]], int(sys.argv[2]), float(sys.argv[3]))))
