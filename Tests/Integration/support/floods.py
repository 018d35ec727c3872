# SPDX-License-Identifier: Apache-2.0
"""Sending until the other side has had enough."""

import select
import socket

from support.waiting import PATIENCE_SECONDS


def until_cut(port, opening, repeated=b""):
    """Sends `opening`, then `repeated` for ever, and reads, until the server closes; what it sent."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        connection.setblocking(False)
        queue = memoryview(opening)
        while True:
            readable, writable, _ = select.select(
                [connection], [connection] if queue or repeated else [], [], PATIENCE_SECONDS)
            assert readable or writable, "the server neither reads nor closes"
            try:
                if readable:
                    piece = connection.recv(1 << 16)
                    received += piece
                    if not piece:
                        return received
                if writable:
                    queue = queue or memoryview(repeated)
                    queue = queue[connection.send(queue):]
            except BlockingIOError:
                pass
            except (ConnectionResetError, BrokenPipeError):
                return received
