# SPDX-License-Identifier: Apache-2.0
"""/openapi.json: every operation, called with what its schema allows and with what it does not."""

from pathlib import Path
import subprocess
import sys

import pytest

from conftest import Export
from support import otlp
from support.api import api_settings
from support.daemon import clean_environment
from support.query import QueryAPI

EXAMPLES_PER_OPERATION = "25"
# Of the document: statuses, content types, forms. Of the requests: good ones are taken, others are not.
ENDLESS = "/tail$"
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
          "response_schema_conformance,negative_data_rejection,positive_data_acceptance,unsupported_method,"
          "allow_header_conformance")


@pytest.fixture(scope="module")
def query(database, start_server):
    settings, api = api_settings()
    server = start_server(database, settings)
    api.wait_ready()
    with server.channel() as channel:
        for signal in otlp.SIGNALS:
            Export(channel)(otlp.request(signal, [otlp.ITEMS[signal]() for _ in range(20)]))
    yield QueryAPI(api.address)
    assert server.daemon.stop() == 0


def test_the_document_is_well_formed(query):
    document = query.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert "/api/traces/{id}" in document["paths"]
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_every_operation_keeps_its_word(query, tmp_path):
    """Generated requests, the same ones in every run."""
    try_operations(query, tmp_path, "--exclude-path-regex", ENDLESS)


def test_tails_refuse_what_they_do_not_take(query, tmp_path):
    """Only that: one that is taken has no end, which is tried in test_tail.py."""
    # Not the phase of coverage: it takes min_duration=0 for a number, and not for text.
    try_operations(query, tmp_path, "--include-path-regex", ENDLESS, "--mode", "negative", "--phases", "fuzzing")


def try_operations(query, folder, *options):
    program = Path(sys.executable).with_name("schemathesis")
    result = subprocess.run(
        [program, "run", f"http://127.0.0.1:{query.port}/openapi.json", "--checks", CHECKS, *options, "--seed", "1",
         "--max-examples", EXAMPLES_PER_OPERATION, "--generation-deterministic",
         "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure"],
        cwd=folder, env=clean_environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr
