# SPDX-License-Identifier: Apache-2.0
"""Faults of PostgreSQL: it is killed, it restarts, it ends a connection at the worst moment."""

import os
from pathlib import Path
import signal

from support import numbering
from support.exporter import Code, Habits
from support.otlp import SIGNALS
from support.pgproxy import CUT, CUT_OFF, PASS
from support.waiting import eventually
from stage import Scenario, is_away, try_connect

TOO_MANY = "sorry, too many clients already"


def postmaster_killed(stage):
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 300))
        kill_postmaster(stage.cluster)
        stage.fault("SIGKILL of the postmaster")
        stage.cluster.start()
    stage.load.more(200)


def kill_postmaster(cluster):
    """The postmaster, and nothing else: its children notice that it is gone, and go."""
    pid = cluster.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    cluster.process.kill()
    cluster.process.wait()
    cluster.process = None
    eventually(lambda: all(map(is_away, children)), "the postmaster's children to end")


def immediate_restart(stage):
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 300))
        stage.cluster.restart(signal.SIGQUIT)
        stage.fault("immediate restart")
    stage.load.more(200)


def commit_answer_lost(stage):
    """Cut before COMMIT has reached the server, or after it has happened and before its answer is heard."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(20, 200))
        cut_at_commit(stage, stage.rng.choice(["before", "after"]))
    # Both in any case.
    for moment in ("before", "after"):
        stage.load.more(20)
        cut_at_commit(stage, moment)
    stage.load.more(200)


def cut_at_commit(stage, wanted):
    stage.at_one_commit(wanted, lambda moment, link: CUT)
    stage.fault(f"cut {wanted} COMMIT")


def backend_frozen(stage):
    """Frozen anywhere, until clients have sent again; then with a whole transaction in its input.

    That one it commits when it goes on. The daemon has lost the connection meanwhile and sent the batch over
    another one, so that it is stored twice unless the ledger says that it was there.
    """
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 200))
        pid = stage.rng.choice(eventually(stage.writer_pids, "a writer's backend"))
        with stage.frozen(pid, "SIGSTOP of a backend"):
            stage.load.more_attempts({Code.DEADLINE_EXCEEDED}, stage.rng.randint(4, 10))
        stage.load.more(stage.rng.randint(50, 200))
        freeze_at_commit(stage)
    stage.load.more(200)


def freeze_at_commit(stage):
    frozen, again = [], []

    def at_commit(moment, link):
        if moment == "before" and not frozen:
            stage.freeze(link.backend_pid)
            frozen.append(link)
            return CUT_OFF
        if moment == "before":
            again.append(link)
        return PASS

    stage.proxy.at_commit = at_commit
    eventually(lambda: frozen, "a transaction to be frozen before its COMMIT")
    stage.fault("SIGSTOP of a backend with COMMIT in its input")
    # The second attempt waits for the first one's fingerprints; without a ledger it comes to its COMMIT.
    eventually(lambda: again or stage.waiting_count(), "the batch to be sent again")
    stage.thaw(frozen[0].backend_pid)


def lock_held(stage):
    """Longer than requests may wait: they are told that it is too late, and sent again."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 200))
        with stage.locked_facts():
            stage.wait_for_waiting_writer()
            # An attempt that succeeds now was acknowledged without having been stored.
            stage.load.more_attempts({Code.DEADLINE_EXCEEDED, Code.OK}, stage.rng.randint(10, 16))
    stage.load.more(200)


def partition_missing(stage):
    """A partition that the daemon knows of is taken away; it is kept as a table, so that its rows count."""
    for number in stage.rounds():
        stage.load.more(stage.rng.randint(50, 200))
        for signal_name in stage.rng.sample(SIGNALS, stage.rng.randint(1, 3)):
            take_partition(stage, signal_name, f"kept_{number}_{signal_name}")
    stage.load.more(400)


def take_partition(stage, signal_name, kept):
    table = numbering.TABLES[signal_name]
    with stage.connect() as connection, connection.transaction():
        found = connection.execute(f"SELECT tableoid::regclass::text FROM {table} LIMIT 1").fetchone()
        if found is None:
            return  # nothing of this signal has come yet
        (name,) = found
        connection.execute(f"ALTER TABLE {table} DETACH PARTITION {name}; ALTER TABLE {name} RENAME TO {kept}")
    stage.more_tables.append((signal_name, kept))
    stage.fault("partition taken away")


def connections_exhausted(stage):
    """All connections are taken, and the daemon's are ended, so that it needs new ones."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 200))
        with Hoard(stage) as hoard:
            eventually(lambda: hoard.has_turned_daemon_away(count=3), "the daemon to be turned away")
            stage.fault("no connection to be had")
    stage.load.more(200)


class Hoard:
    """All connections that there are."""

    END_OTHERS = ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                  "WHERE datname = %s AND application_name <> 'hoard'")

    def __init__(self, stage):
        self.stage = stage
        self.connections = []
        self.own_failure_count = 0
        self.known_count = self.failure_count()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()

    def failure_count(self):
        return self.stage.cluster.log.read_text().count(TOO_MANY)

    def has_turned_daemon_away(self, count):
        """Takes what can be had, ends what the daemon has, and looks how often it came in vain."""
        while connection := try_connect(lambda: self.stage.cluster.connect(application_name="hoard")):
            self.connections.append(connection)
        self.own_failure_count += 1
        self.connections[0].execute(self.END_OTHERS, [self.stage.database])
        return self.failure_count() - self.known_count - self.own_failure_count >= count


SCENARIOS = [
    Scenario(
        name="postmaster-killed", play=postmaster_killed, rounds=3,
        what="SIGKILL of PostgreSQL's postmaster",
        breaks={"drop-batch-on-reconnect": "lost"}),
    Scenario(
        name="immediate-restart", play=immediate_restart, rounds=3,
        what="PostgreSQL restarts as with pg_ctl restart -m immediate: recovery follows, as after a crash",
        breaks={"drop-batch-on-reconnect": "lost"}),
    Scenario(
        name="commit-answer-lost", play=commit_answer_lost, rounds=4, has_proxy=True,
        what="the connection is cut before COMMIT arrives, or between COMMIT and its answer",
        breaks={"no-ledger": "doubled", "drop-batch-on-reconnect": "lost"}),
    Scenario(
        name="backend-frozen", play=backend_frozen, rounds=2, has_proxy=True,
        settings={"database.writers": "1"}, habits=Habits(timeout_seconds=0.7),
        what="SIGSTOP and SIGCONT of a backend, also with a whole transaction in its input",
        breaks={"no-ledger": "doubled"}),
    Scenario(
        name="lock-held", play=lock_held, rounds=2, settings={"limits.request_deadline": "400ms"},
        what="a lock on the fact tables, held for longer than requests may wait",
        breaks={"ack-expired": "lost"}),
    Scenario(
        name="partition-missing", play=partition_missing, rounds=4,
        what="a partition that the daemon has written to is gone",
        breaks={"drop-batch-on-error": "lost"}),
    Scenario(
        name="connections-exhausted", play=connections_exhausted, rounds=2,
        what="max_connections is reached, and the daemon has lost its connections",
        breaks={"drop-batch-on-reconnect": "lost"}),
]
