# SPDX-License-Identifier: Apache-2.0
"""A client that follows GET /api/{spans,logs}/tail, as lines of JSON or as server-sent events."""

import http.client
import json
import socket
import threading
from urllib.parse import quote, urlencode

from support.waiting import PATIENCE_SECONDS, eventually


class TailClient:
    """Reads in a thread of its own until it is closed; `events` are (name, data, place), in their order."""

    def __init__(self, port, elements="spans", parameters=(), form="application/x-ndjson", is_reading=True, **headers):
        self.events = []
        self.fields = []
        self.failure = None
        self.is_over = False
        self.is_lines = form == "application/x-ndjson"
        target = f"/api/{elements}/tail" + ("?" + urlencode(parameters, quote_via=quote) if parameters else "")
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        self.connection.connect()
        if not is_reading:
            # So small that it is noticed soon.
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
        self.socket = self.connection.sock
        self.connection.request("GET", target, headers={"Accept": form} | headers)
        self.response = self.connection.getresponse()
        self.thread = threading.Thread(target=self._read, daemon=True)
        if self.response.status == 200 and is_reading:
            self.go_on()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def go_on(self):
        """Begins to read, where it has not."""
        self.socket.settimeout(None)
        self.thread.start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the daemon was first
        if self.thread.ident:
            self.thread.join()
        self.connection.close()

    def _read(self):
        try:
            self._lines() if self.is_lines else self._events()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.failure = error
        self.is_over = True

    def _lines(self):
        for line in iter(self.response.readline, b""):
            found = json.loads(line)
            place = found.pop("cursor", None)
            assert len(found) <= 1 and (found or place), line
            name, data = next(iter(found.items()), ("position", None))
            self.events.append((name, data, place))

    def _events(self):
        """As HTML, section 9.2.6, has it, but for what is only interesting to browsers."""
        name, data, place = "", [], None
        for line in iter(self.response.readline, b""):
            line = line.decode().removesuffix("\n")
            self.fields.append(line)
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    self.events.append((name, json.loads("\n".join(data)), place))
                elif place and (not self.places or self.places[-1] != place):
                    self.events.append(("position", None, place))
                name, data = "", []
            elif field == "event":
                name = value
            elif field == "id":
                place = value
            elif field == "data":
                data.append(value)

    @property
    def rows(self):
        return [data for name, data, _ in list(self.events) if name == "row"]

    @property
    def lags(self):
        return [data["skipped"] for name, data, _ in list(self.events) if name == "lagged"]

    @property
    def states(self):
        return [data["database"] for name, data, _ in list(self.events) if name == "status"]

    @property
    def places(self):
        return [place for _, _, place in list(self.events) if place]

    @property
    def count(self):
        """Rows that were shown or counted."""
        return len(self.rows) + sum(self.lags)

    def wait_count(self, count):
        eventually(lambda: self.count >= count or self.is_over, f"{count} rows, of which {self.count} have come")
        assert self.count == count, (self.count, count, self.lags, self.failure)

    def wait_begin(self):
        """Until its first place has come."""
        eventually(lambda: self.places or self.is_over, "the first place")
        return self
