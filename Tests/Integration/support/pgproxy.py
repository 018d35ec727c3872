# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of PostgreSQL that knows enough of the protocol to act at a COMMIT.

It listens on a UNIX socket of its own, passes messages on whole, and stops twice in every transaction of a
writer: when all of it is there but the end of the last COPY, with COMMIT behind it (`before`), and when the
server has committed, but the daemon does not know yet (`after`).
"""

from pathlib import Path
import shutil
import socket
import struct
import tempfile
import threading

SOCKET_NAME = ".s.PGSQL.5432"
COPY_DONE, QUERY = b"c", b"Q"
COMMAND_COMPLETE, BACKEND_KEY = b"C", b"K"

# Pass the message on; cut the connection instead; pass it on and cut the daemon off.
PASS, CUT, CUT_OFF = "pass", "cut", "cut off"


class Proxy:
    """`at_commit(moment, link)` is asked at both moments for PASS, CUT or CUT_OFF, and may take its time."""

    def __init__(self, cluster):
        self.server_path = cluster.folder / SOCKET_NAME
        self.folder = Path(tempfile.mkdtemp(prefix="starling-proxy-", dir="/tmp"))
        self.at_commit = lambda moment, link: PASS
        self.links = set()
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.folder / SOCKET_NAME))
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def url(self, database, user="starling"):
        return f"postgresql://{user}@/{database}?host={str(self.folder).replace('/', '%2F')}"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                server.connect(str(self.server_path))
            except OSError:
                client.close()  # as a server that is away
                continue
            link = Link(self, client, server)
            with self.lock:
                self.links.add(link)
            link.start()

    def forget(self, link):
        with self.lock:
            self.links.discard(link)

    def close(self):
        self.at_commit = lambda moment, link: PASS
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        with self.lock:
            links = list(self.links)
        for link in links:
            link.cut()
        for link in links:
            link.join()
        shutil.rmtree(self.folder, ignore_errors=True)


class Link:
    """One connection of the daemon: a thread for each direction."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client = client
        self.server = server
        self.backend_pid = None
        self.is_commit_asked = False
        self.is_committing = False
        self.threads = [threading.Thread(target=self.run, args=[step], daemon=True)
                        for step in (self.forward, self.answer)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def run(self, step):
        try:
            step()
        except (OSError, EOFError):
            pass
        finally:
            self.cut()
            self.proxy.forget(self)

    def cut(self):
        """Ends both sides; what was passed on before still arrives."""
        for side in (self.client, self.server):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not connected any more

    def forward(self):
        """From daemon to server."""
        self.server.sendall(read_startup(self.client))
        for kind, message in messages(self.client):
            if kind == QUERY:
                self.is_commit_asked = b"COMMIT" in message
                self.is_committing = self.is_commit_asked and b"COPY" not in message
            if kind == COPY_DONE and self.is_commit_asked:
                action = self.proxy.at_commit("before", self)
                if action != CUT:
                    self.is_committing = True
                    self.server.sendall(message)
                if action != PASS:
                    return
            else:
                self.server.sendall(message)

    def answer(self):
        """From server to daemon."""
        for kind, message in messages(self.server):
            if kind == BACKEND_KEY:
                self.backend_pid = struct.unpack(">I", message[5:9])[0]
            if kind == COMMAND_COMPLETE and message[5:] == b"COMMIT\0" and self.is_committing:
                self.is_committing = False
                if self.proxy.at_commit("after", self) != PASS:
                    return
            self.client.sendall(message)


def read_startup(side):
    """The first packet, which has no kind; requests for encryption do not come over a UNIX socket."""
    header = read_exactly(side, 4)
    return header + read_exactly(side, struct.unpack(">I", header)[0] - 4)


def messages(side):
    """(kind, whole message) one after the other, to the end of the stream."""
    buffer = bytearray()
    while True:
        while len(buffer) < 5 or len(buffer) < (size := 1 + struct.unpack(">I", buffer[1:5])[0]):
            data = side.recv(1 << 16)
            if not data:
                return
            buffer += data
        yield bytes(buffer[:1]), bytes(buffer[:size])
        del buffer[:size]


def read_exactly(side, count):
    data = bytearray()
    while len(data) < count:
        more = side.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
