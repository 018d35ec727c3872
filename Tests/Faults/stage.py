# SPDX-License-Identifier: Apache-2.0
"""What a scenario plays on: a database, daemons, clients with a journal, and the comparison at the end."""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
import os
from pathlib import Path
import random
import signal
import time

import psycopg

from support import balance, counters, numbering
from support.daemon import Daemon, free_port, run
from support.exporter import Client, Habits, Load
from support.exporter_http import HTTPClient
from support.journal import Journal
from support.locks import locked
from support.pgproxy import PASS, Proxy
from support.waiting import eventually

TEMPLATE = "starling_template"


@dataclass(frozen=True)
class Scenario:
    """A kind of fault: how it is played, and which deliberate breaks it must notice.

    `breaks` maps the name of a break of the daemon to the violation that has to be found with it.
    `rounds` is how often the fault comes in a short run; a soak goes on until its time is over.
    """

    name: str
    what: str
    play: callable
    breaks: dict
    rounds: int = 3
    settings: dict = field(default_factory=dict)
    habits: Habits = field(default_factory=Habits)
    daemon_count: int = 1
    prepare: callable = None
    settle: callable = None
    check: callable = None
    has_proxy: bool = False
    # Whether clients send over OTLP/HTTP.
    is_http: bool = False


@dataclass
class Result:
    """How a run ended. `violations` is empty unless the promise was broken."""

    scenario: str
    seed: str
    seconds: float
    balance: balance.Balance
    tally: object
    faults: dict
    resident_peak_bytes: int
    violations: dict

    def summary(self):
        return {
            "scenario": self.scenario, "seed": self.seed, "seconds": round(self.seconds, 1),
            "sent": self.balance.sent_count, "acknowledged": self.balance.acknowledged_count,
            "rejected": self.balance.rejected_count, "sent_again": self.balance.again_count,
            "attempts_per_request": round(sum(self.tally.attempts.values()) / max(1, self.tally.settled_count), 2),
            "stored": self.balance.stored_count, "faults": self.faults, "lost": self.balance.lost_count,
            "doubled": self.balance.doubled_count, "damaged": self.balance.damaged_count,
            "violations": {kind: count for kind, (count, _) in self.violations.items()},
            "ack_seconds_max": round(self.tally.ack_seconds_max, 3),
            "resident_peak_mib": round(self.resident_peak_bytes / (1 << 20), 1)}


class Stage:
    """One run of one scenario. `seconds` is None for a short run."""

    def __init__(self, scenario, cluster, binary, folder, seed, test_break=None, seconds=None):
        self.scenario = scenario
        self.cluster = cluster
        self.binary = binary
        self.folder = Path(folder)
        self.seed = seed
        self.rng = random.Random(f"{seed}/{scenario.name}/faults")
        self.test_break = test_break
        self.seconds = seconds
        self.stack = ExitStack()
        # What is undone after the database is gone.
        self.late = ExitStack()
        # What a scenario adds to those of its daemons.
        self.environment, self.settings = {}, {}
        self.faults = {}
        self.resident_peak_bytes = 0
        self.more_tables = []
        self.damaged = balance.Damaged()
        self.stopped_pids = set()
        self.daemons, self.ports, self.http_ports, self.api_ports = [], [], [], []
        self.began = time.monotonic()
        self.load = self.proxy = None

    # --- the run as a whole

    def run(self):
        """Plays the scenario to its end and compares; the Result."""
        with self.stack:
            self.set_up()
            self.scenario.play(self)
            self.load.finish()
            if self.scenario.settle:
                self.scenario.settle(self)
            if not self.test_break:
                self.check_counters()
            for index in range(len(self.daemons)):
                self.stop_daemon(index)
            if self.scenario.check:
                self.scenario.check(self)
            return self.result()

    def set_up(self):
        self.stack.enter_context(self.late)
        self.database = make_database(self.cluster, self.binary, f"run_{os.urandom(6).hex()}")
        self.stack.callback(self.cluster_runs_and_drops)
        if self.scenario.prepare:
            self.scenario.prepare(self)
        if self.scenario.has_proxy:
            self.proxy = Proxy(self.cluster)
            self.stack.callback(self.proxy.close)
        for index in range(self.scenario.daemon_count):
            self.ports.append(free_port())
            self.http_ports.append(free_port())
            self.api_ports.append(free_port())
            self.daemons.append(None)
            self.start_daemon(index)
        self.stack.callback(self.kill_all)
        self.stack.callback(self.thaw_all)
        self.journal_path = self.folder / "journal"
        journal = Journal(self.journal_path)
        self.stack.callback(journal.close)
        ports, kind = (self.http_ports, HTTPClient) if self.scenario.is_http else (self.ports, Client)
        self.load = Load(ports, journal, f"{self.seed}/{self.scenario.name}", self.scenario.habits, kind).start()
        self.stack.callback(self.load.abort)

    def cluster_runs_and_drops(self):
        eventually(self.cluster.accepts, "PostgreSQL to accept connections")
        self.cluster.drop_database(self.database)

    def check_counters(self):
        """Each daemon accounts for every item that it has received."""
        for port in self.api_ports:
            eventually(lambda: counters.is_balanced(counters.items(port)),
                       "what was received to be committed, deduplicated, or refused")

    def result(self):
        with self.connect() as connection:
            found = balance.check(connection, self.journal_path, self.more_tables, self.damaged)
        violations = dict(found.violations)
        if self.load.tally.wrong:
            violations["wrong answers"] = (len(self.load.tally.wrong), self.load.tally.wrong[:balance.EXAMPLES_MAX])
        return Result(self.scenario.name, self.seed, time.monotonic() - self.began, found, self.load.tally,
                      self.faults, self.resident_peak_bytes, violations)

    def rounds(self):
        """Once per time that the fault is to come."""
        number = 0
        while number < self.scenario.rounds if self.seconds is None else self.is_time_left():
            yield number
            number += 1

    def is_time_left(self):
        return time.monotonic() - self.began < self.seconds

    def fault(self, kind, count=1):
        """Counts what was done to the system, for the report."""
        self.faults[kind] = self.faults.get(kind, 0) + count

    # --- the database

    def connect(self, **options):
        return self.cluster.connect(self.database, **options)

    def writer_pids(self, connection=None):
        """Backends of the daemons' writers: those whose last statement was a COPY."""
        with connection or self.connect() as connection:
            return [pid for pid, in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY %' "
                "ORDER BY pid")]

    @contextmanager
    def locked_facts(self):
        """While inside, nobody writes a fact: whoever tries waits."""
        with locked(self, numbering.TABLES.values()):  # in the order of the daemon, so that nobody is locked out
            self.fault("lock on the fact tables")
            yield

    def at_one_commit(self, wanted, act):
        """Calls `act(moment, link)` at the next COMMIT's `wanted` moment, and returns then; see Proxy."""
        links = []

        def at_commit(moment, link):
            if moment != wanted or links:
                return PASS
            links.append(link)
            return act(moment, link)

        self.proxy.at_commit = at_commit
        eventually(lambda: links, f"a transaction to come {wanted} its COMMIT")
        return links[0]

    # --- processes

    def freeze(self, pid):
        """Until `thaw`, which comes at the end of the run at the latest."""
        os.kill(pid, signal.SIGSTOP)
        self.stopped_pids.add(pid)

    def thaw(self, pid):
        self.stopped_pids.discard(pid)
        if not is_away(pid):
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def frozen(self, pid, kind):
        self.freeze(pid)
        self.fault(kind)
        yield
        self.thaw(pid)

    def thaw_all(self):
        for pid in list(self.stopped_pids):
            self.thaw(pid)

    # --- locks

    def waiting_count(self):
        """Backends of this database that wait for a lock."""
        with self.connect() as connection:
            return connection.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database()").fetchone()[0]

    def wait_for_waiting_writer(self):
        eventually(lambda: self.waiting_count() > 0, "a writer to wait for a lock")

    # --- the daemons

    def start_daemon(self, index=0):
        folder = self.folder / f"daemon-{index}"
        folder.mkdir(exist_ok=True)
        source = self.proxy or self.cluster
        environment = {"STARLING_DATABASE_URL": source.url(self.database),
                       "STARLING_LISTEN_GRPC": f"127.0.0.1:{self.ports[index]}",
                       "STARLING_LISTEN_HTTP": f"127.0.0.1:{self.http_ports[index]}",
                       "STARLING_LISTEN_API": f"127.0.0.1:{self.api_ports[index]}"}
        if self.test_break:
            environment["STARLING_TEST_BREAK"] = self.test_break
        settings = {"database.writers": "2", "server.loops": "1"} | self.scenario.settings | self.settings
        sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        self.daemons[index] = Daemon(self.binary, ["serve", *sets], environment | self.environment, folder)
        self.daemons[index].start()

    def note_memory(self, index=0):
        self.resident_peak_bytes = max(self.resident_peak_bytes, self.daemons[index].resident_peak_bytes())

    def kill_daemon(self, index=0):
        """SIGKILL. Its memory is noted before."""
        self.note_memory(index)
        self.daemons[index].kill()

    def stop_daemon(self, index=0):
        self.note_memory(index)
        status = self.daemons[index].stop()
        assert status == 0, f"exit status {status}\n{self.daemons[index].output()}"

    def kill_all(self):
        for daemon in self.daemons:
            daemon.kill()

    def output(self):
        return "\n".join(daemon.output() for daemon in self.daemons if daemon)


def make_database(cluster, binary, name):
    """A migrated database: a copy of one that is migrated once per cluster."""
    with cluster.connect() as connection:
        has_template = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
        if not has_template:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
            result = run(binary, "migrate", environment={"STARLING_DATABASE_URL": cluster.url(TEMPLATE)})
            assert result.returncode == 0, result.stderr
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return name


def is_away(pid):
    """Whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def try_connect(connect):
    """A connection, or None where the server has none to give."""
    try:
        return connect()
    except psycopg.OperationalError:
        return None
