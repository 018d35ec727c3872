# SPDX-License-Identifier: Apache-2.0
"""A small blocking HTTP/2 client that can break every rule of gRPC (and, where asked, of HTTP/2)."""

from contextlib import contextmanager
from dataclasses import dataclass, field
import socket
import time

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated, DataReceived, PingAckReceived, PingReceived, ResponseReceived, StreamEnded,
    StreamReset, TrailersReceived)
from hyperframe.frame import GoAwayFrame

from support.waiting import PATIENCE_SECONDS

WINDOW_SIZE_BYTES = 1 << 24


@dataclass
class Stream:
    """What the server has sent on one stream so far."""

    headers: list = None
    is_trailers_only: bool = False
    data: bytes = b""
    trailers: list = None
    is_ended: bool = False
    reset_code: int = None

    @property
    def is_over(self):
        return self.is_ended or self.reset_code is not None


class ConnectionClosed(Exception):
    """The server closed the connection while something was still expected from it."""


@dataclass
class GoAway:
    last_stream_id: int
    error_code: int
    debug: bytes = field(default=b"")


class TolerantConnection(H2Connection):
    """h2's machine refuses to go on after a GOAWAY; a draining server still answers what it accepted."""

    def _receive_goaway_frame(self, frame):
        event = ConnectionTerminated()
        event.error_code, event.last_stream_id = frame.error_code, frame.last_stream_id
        event.additional_data = frame.additional_data
        return [], [event]


class Client:
    """One connection. Every wait has the same generous deadline; none is for synchronisation."""

    def __init__(self, port, host="127.0.0.1", path=None, prefix=b"", source=None, tls=None):
        """To a TCP port, or to the unix socket at `path`; `prefix` goes before HTTP/2, `tls` is a context."""
        if path is None:
            self.socket = socket.create_connection((host, port), PATIENCE_SECONDS, source and (source, 0))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE_SECONDS)
            self.socket.connect(str(path))
        self.socket.sendall(prefix)
        self.h2 = TolerantConnection(H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False, validate_inbound_headers=True))
        self.h2._frame_dispatch_table[GoAwayFrame] = self.h2._receive_goaway_frame
        self.streams = {}
        self.goaways = []
        self.ping_acks = []
        self.pings = 0
        self.is_closed = False
        self.is_holding = False
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(WINDOW_SIZE_BYTES)
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        self.is_closed = True

    # Sending

    def open(self, headers, end_stream=False):
        """Sends HEADERS; the stream id."""
        stream_id = self.h2.get_next_available_stream_id()
        self.streams[stream_id] = Stream()
        self.h2.send_headers(stream_id, headers, end_stream=end_stream)
        self.flush()
        return stream_id

    def send(self, stream_id, data, end_stream=False, frame_size=None, pad_length=None):
        """Sends DATA in frames of at most `frame_size`, waiting for window; stops where the stream is over.

        Whether all of it was sent.
        """
        view, sent = memoryview(data), 0
        overhead = 0 if pad_length is None else pad_length + 1
        while True:
            if self.streams[stream_id].is_over or self.is_closed:
                return False
            room = self.h2.local_flow_control_window(stream_id) - overhead
            if room <= 0 and (sent < len(data) or overhead):
                self.pump()
                continue
            size = min(len(data) - sent, max(room, 0), self.h2.max_outbound_frame_size - overhead,
                       frame_size or len(data) or 1)
            is_last = sent + size == len(data)
            self.h2.send_data(stream_id, view[sent:sent + size].tobytes(),
                              end_stream=end_stream and is_last, pad_length=pad_length)
            sent += size
            self.flush()
            if is_last:
                return True
            self.pump(is_blocking=False)

    def send_trailers(self, stream_id, headers):
        self.h2.send_headers(stream_id, headers, end_stream=True)
        self.flush()

    def reset(self, stream_id, code=ErrorCodes.CANCEL):
        self.h2.reset_stream(stream_id, code)
        self.flush()

    def send_raw(self, data):
        """Bytes that did not pass h2's checks."""
        self.socket.sendall(data)

    @contextmanager
    def held(self):
        """What is sent inside, answers to PING included, goes out in one write at the end."""
        self.is_holding = True
        yield
        self.is_holding = False
        self.flush()

    def flush(self):
        if self.is_holding:
            return
        data = self.h2.data_to_send()
        if data:
            try:
                self.socket.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                # What the server sent before it closed can still be read.
                pass

    # Receiving

    def pump(self, is_blocking=True):
        """Takes in what the server sent: at least one read, or what is there already."""
        self.socket.settimeout(PATIENCE_SECONDS if is_blocking else 0)
        try:
            data = self.socket.recv(1 << 18)
        except (BlockingIOError, TimeoutError):
            if is_blocking:
                raise AssertionError("the server sends nothing") from None
            return
        except ConnectionResetError:
            data = b""
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)
        if not data:
            self.is_closed = True
            if is_blocking:
                raise ConnectionClosed(f"goaways: {self.goaways}")
            return
        for event in self.h2.receive_data(data):
            self._take(event)
        self.flush()

    def _take(self, event):
        if isinstance(event, ConnectionTerminated):
            self.goaways.append(GoAway(event.last_stream_id, event.error_code, event.additional_data))
            return
        if isinstance(event, PingReceived):
            self.pings += 1
            return
        if isinstance(event, PingAckReceived):
            self.ping_acks.append(event.ping_data)
            return
        stream = self.streams.get(getattr(event, "stream_id", None))
        if stream is None:
            return
        if isinstance(event, ResponseReceived):
            stream.headers = list(event.headers)
            stream.is_trailers_only = event.stream_ended is not None
        elif isinstance(event, DataReceived):
            stream.data += event.data
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            stream.trailers = list(event.headers)
        elif isinstance(event, StreamEnded):
            stream.is_ended = True
        elif isinstance(event, StreamReset):
            stream.reset_code = int(event.error_code)

    def until(self, condition, what):
        """Reads until `condition()` is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.pump()
        return value

    def wait(self, stream_id):
        """The stream, once the server has ended or reset it."""
        stream = self.streams[stream_id]
        self.until(lambda: stream.is_over, f"the end of stream {stream_id}")
        return stream

    def ping(self, data=b"01234567"):
        """Returns when the server has answered: it has seen all that was sent before."""
        count = len(self.ping_acks)
        self.h2.ping(data)
        self.flush()
        self.until(lambda: len(self.ping_acks) > count, "the answer to PING")

    def wait_closed(self):
        """Reads until the server closes the connection."""
        while not self.is_closed:
            try:
                self.pump()
            except ConnectionClosed:
                return

    @property
    def is_usable(self):
        """Whether a further request may be tried on this connection."""
        self.pump(is_blocking=False)
        return not (self.is_closed or self.goaways
                    or self.h2.state_machine.state == ConnectionState.CLOSED)
