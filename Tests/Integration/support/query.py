# SPDX-License-Identifier: Apache-2.0
"""The query API as its clients see it: whole requests, answers checked for their form, problems by their type."""

import gzip
import http.client
import json
from urllib.parse import quote, urlencode

from support.api import Answer
from support.waiting import PATIENCE_SECONDS


class QueryAPI:
    """`port` on the loopback; `headers` go with every request."""

    def __init__(self, port, **headers):
        self.port = port
        self.headers = headers

    def request(self, path, parameters=(), body=None, method=None, **headers):
        """The answer as it came. `parameters` are a mapping or pairs; `body` is sent as JSON."""
        target = path + ("?" + urlencode(parameters, quote_via=quote) if parameters else "")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            sent = self.headers | ({"Content-Type": "application/json"} if body is not None else {}) | headers
            connection.request(method or ("GET" if body is None else "POST"), target, content, sent)
            response = connection.getresponse()
            data = response.read()
            found = dict(response.getheaders())
            if found.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            return Answer(response.status, found, data.decode())
        finally:
            connection.close()

    def get(self, path, parameters=(), body=None, **headers):
        """The JSON of an answer that has to be 200."""
        answer = self.request(path, parameters, body, **headers)
        assert answer.status == 200, answer
        return answer.json

    def problem(self, status, kind, path, parameters=(), body=None, pointer=None, **headers):
        """The problem of an answer that has to be one, of this status and kind."""
        answer = self.request(path, parameters, body, **headers)
        assert answer.status == status, answer
        assert answer.headers["Content-Type"] == "application/problem+json", answer
        problem = json.loads(answer.body)
        assert (problem["type"], problem["status"]) == (kind, status), problem
        assert problem["title"] and problem["detail"], problem
        if pointer is not None:
            assert [error["pointer"] for error in problem["errors"]] == [pointer], problem
        assert str(problem.get("retry_after")) == answer.headers.get("Retry-After", "None")
        return problem
