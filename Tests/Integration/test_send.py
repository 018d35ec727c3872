# SPDX-License-Identifier: Apache-2.0
"""`starling send` as a load generator: what it sends about, and when."""

from concurrent.futures import ThreadPoolExecutor
import threading

import grpc
import pytest

from support import otlp
from support.daemon import run
from support.grpcwire import PATHS

POINT_TABLES = {"number": "otel_metrics_data_points_number", "histogram": "otel_metrics_data_points_histogram"}
ANSWER_SECONDS_MAX = 120


def send(binary, endpoint, *arguments):
    result = run(binary, "send", *arguments, "--endpoint", endpoint)
    assert result.returncode == 0, result
    return result.stdout


def test_about_many_things(binary, starling, db):
    """Resources and operations are as many as asked for."""
    send(binary, starling.endpoint, "traces", "--count", "1000", "--batch", "100", "--resources", "30",
         "--resources-per-request", "20", "--operations", "70")
    assert db.execute("SELECT count(DISTINCT resource_id), count(DISTINCT operation_id), count(*) "
                      "FROM otel_spans_fact").fetchone() == (30, 70, 1000)


@pytest.mark.parametrize("points, table", POINT_TABLES.items())
def test_points_of_one_kind(binary, starling, db, points, table):
    send(binary, starling.endpoint, "metrics", "--count", "300", "--points", points)
    stored = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in POINT_TABLES.values()}
    assert stored == {name: 300 if name == table else 0 for name in POINT_TABLES.values()}


class PatientServer(grpc.GenericRpcHandler):
    """Answers nobody before `count` requests are there."""

    def __init__(self, count):
        self.count, self.arrived = count, 0
        self.lock, self.are_all_here = threading.Lock(), threading.Event()

    def service(self, details):
        assert details.method == PATHS["traces"]
        return grpc.unary_unary_rpc_method_handler(
            self.answer, response_serializer=otlp.RESPONSES["traces"].SerializeToString)

    def answer(self, _, context):
        with self.lock:
            self.arrived += 1
            if self.arrived == self.count:
                self.are_all_here.set()
        if not self.are_all_here.wait(ANSWER_SECONDS_MAX):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{self.arrived} of {self.count} requests came")
        return otlp.RESPONSES["traces"]()


def test_a_rate_does_not_wait_for_answers(binary):
    """What is due goes out, whatever becomes of what went before: else a slow daemon would set the pace."""
    handler = PatientServer(20)
    with ThreadPoolExecutor(handler.count) as pool:
        server = grpc.server(pool, handlers=[handler])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            text = send(binary, f"127.0.0.1:{port}", "traces", "--count", "20", "--batch", "1", "--rate", "50",
                        "--in-flight", "20")
        finally:
            server.stop(None)
    assert "sent again 0" in text, text
