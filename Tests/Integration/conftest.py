# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run the real daemon against a real PostgreSQL.

STARLING_BINARY names the daemon; by default it is the debug build. A module may set

    STARLING_SETTINGS = {"key.name": "value"}   further --set options for its daemon
    OWN_CLUSTER = True                          a PostgreSQL that the module may stop and restart
"""

import os
from pathlib import Path
import re
import shutil
import tempfile

import grpc
import pytest

from support.cluster import Cluster
from support.daemon import Daemon, free_port, run
from support.grpcwire import PATHS
from support.h2client import Client
from support.otlp import REQUESTS, RESPONSES, SIGNALS
from support.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("STARLING_BINARY", ROOT / ".build/debug/starling")).resolve()

FACT_TABLES = ("otel_spans_fact", "otel_logs_fact", "otel_metrics_data_points_number",
               "otel_metrics_data_points_histogram", "otel_metrics_data_points_exp_histogram",
               "otel_metrics_data_points_summary")
MESSAGE_SIZE_BYTES_MAX = 256 << 20


class Database:
    """A migrated database of its own."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.environment = {"STARLING_DATABASE_URL": cluster.url(name)}

    def connect(self):
        return self.cluster.connect(self.name)


class Server:
    """A serving daemon, its address and its database."""

    def __init__(self, daemon, port, database):
        self.daemon = daemon
        self.port = port
        self.endpoint = f"127.0.0.1:{port}"
        self.database = database

    def client(self, **options):
        """A raw HTTP/2 connection; `options` are those of h2client.Client."""
        return Client(self.port, **options)

    def channel(self, *options):
        return grpc.insecure_channel(self.endpoint, options=[
            ("grpc.max_send_message_length", MESSAGE_SIZE_BYTES_MAX), ("grpc.enable_retries", 0),
            # A subchannel of its own, so that tests do not share connections.
            ("grpc.use_local_subchannel_pool", 1), *options])


@pytest.fixture(scope="session")
def binary():
    assert BINARY.is_file(), f"{BINARY} is missing: run `swift build`, or set STARLING_BINARY"
    return BINARY


@pytest.fixture(scope="session")
def shared_cluster():
    yield from running_cluster()


@pytest.fixture(scope="module")
def cluster(request):
    if getattr(request.module, "OWN_CLUSTER", False):
        yield from running_cluster()
    else:
        yield request.getfixturevalue("shared_cluster")


def running_cluster():
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope="module")
def database(request, cluster, binary):
    name = re.sub(r"\W", "_", request.module.__name__)
    cluster.create_database(name)
    database = Database(cluster, name)
    result = run(binary, "migrate", environment=database.environment)
    assert result.returncode == 0, f"migrate: {result.stdout}{result.stderr}"
    yield database
    cluster.drop_database(name)


@pytest.fixture
def scratch():
    """A short folder that other users may enter, unlike tmp_path."""
    folder = Path(tempfile.mkdtemp(prefix="starling-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def start_server(binary, tmp_path_factory):
    """Starts a daemon against a database, with settings; what is left running is killed at the end."""
    daemons = []

    def start(database, settings=None, port=None):
        port = port or free_port()
        sets = [part for key, value in (settings or {}).items() for part in ("--set", f"{key}={value}")]
        daemon = Daemon(binary, ["serve", *sets], environment(database, port), tmp_path_factory.mktemp("daemon"))
        daemons.append(daemon)
        return Server(daemon.start(), port, database)

    yield start
    for daemon in daemons:
        daemon.kill()


def environment(database, port):
    return database.environment | {"STARLING_LISTEN_GRPC": f"127.0.0.1:{port}"}


@pytest.fixture(scope="module")
def starling(request, database, start_server):
    """The daemon that the tests of a module share. It must end well on SIGTERM."""
    server = start_server(database, getattr(request.module, "STARLING_SETTINGS", None))
    yield server
    assert server.daemon.is_running(), f"the daemon died\n{server.daemon.output()}"
    status = server.daemon.stop()
    assert status == 0, f"exit status {status} after SIGTERM\n{server.daemon.output()}"


@pytest.fixture
def db(database):
    """A connection to a database whose fact tables are empty."""
    connection = database.connect()
    connection.execute(f"TRUNCATE {', '.join(FACT_TABLES)}")
    yield connection
    connection.close()


@pytest.fixture
def client(starling):
    """A raw HTTP/2 connection."""
    with starling.client() as client:
        yield client


@pytest.fixture
def channel(starling):
    with starling.channel() as channel:
        yield channel


class Export:
    """Calls Export of each signal over grpcio."""

    def __init__(self, channel):
        self.methods = {signal: channel.unary_unary(
            PATHS[signal], request_serializer=REQUESTS[signal].SerializeToString,
            response_deserializer=RESPONSES[signal].FromString) for signal in SIGNALS}

    def __call__(self, request, **options):
        """The response; `options` are grpcio's (timeout, metadata, compression)."""
        return self.method(request)(request, **({"timeout": PATIENCE_SECONDS} | options))

    def method(self, request):
        return self.methods[next(signal for signal, kind in REQUESTS.items() if isinstance(request, kind))]


@pytest.fixture
def export(channel):
    return Export(channel)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the daemon printed."""
    outcome = yield
    report = outcome.get_result()
    server = item.funcargs.get("starling") if report.failed else None
    if server is not None:
        report.sections.append(("starling", server.daemon.output()))
