# SPDX-License-Identifier: Apache-2.0
"""Faults of the daemon: it is killed, it is frozen, its clients turn to another one."""

from support.exporter import Code, Habits
from stage import Scenario

TIMED_OUT = {Code.DEADLINE_EXCEEDED}


def killed(stage):
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 400))
        stage.kill_daemon()
        stage.fault("SIGKILL of the daemon")
        stage.start_daemon()
    stage.load.more(200)


def frozen(stage):
    """Frozen while it waits for PostgreSQL: what it stores when it goes on, clients have sent again by then."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 200))
        with stage.locked_facts():
            stage.wait_for_waiting_writer()
            pid = stage.daemons[0].process.pid
            stage.freeze(pid)
            stage.fault("SIGSTOP of the daemon")
            stage.load.more_attempts(TIMED_OUT, stage.rng.randint(4, 10))
        stage.thaw(pid)
    stage.load.more(200)


def two(stage):
    """The first attempt hangs in one daemon, the next goes to the other; then one of the two is killed."""
    for number in stage.rounds():
        stage.load.more(stage.rng.randint(50, 200))
        with stage.locked_facts():
            stage.wait_for_waiting_writer()
            stage.load.more_attempts(TIMED_OUT, stage.rng.randint(4, 10))
            stage.fault("time out at one daemon, retry at the other")
        stage.load.more(stage.rng.randint(20, 100))
        stage.kill_daemon(number % 2)
        stage.fault("SIGKILL of one daemon")
        stage.load.more(stage.rng.randint(20, 100))
        stage.start_daemon(number % 2)
    stage.load.more(200)


SCENARIOS = [
    Scenario(
        name="daemon-killed", play=killed, rounds=5,
        what="SIGKILL of the daemon at random counts of acknowledged items",
        breaks={"ack-before-commit": "lost"}),
    Scenario(
        name="http-daemon-killed", play=killed, rounds=5, is_http=True,
        what="the same, of clients that send over OTLP/HTTP",
        breaks={"ack-before-commit": "lost"}),
    Scenario(
        name="daemon-frozen", play=frozen, rounds=2, habits=Habits(timeout_seconds=0.7),
        what="SIGSTOP of the daemon in the middle of a transaction, SIGCONT when clients have sent again",
        breaks={"no-ledger": "doubled"}),
    Scenario(
        name="http-daemon-frozen", play=frozen, rounds=2, is_http=True, habits=Habits(timeout_seconds=0.7),
        what="the same over OTLP/HTTP: the answers come when nobody waits for them any more",
        breaks={"no-ledger": "doubled"}),
    Scenario(
        name="two-daemons", play=two, rounds=2, daemon_count=2, habits=Habits(timeout_seconds=0.7),
        what="two daemons on one database, clients that retry at the other one, SIGKILL in turn",
        breaks={"no-ledger": "doubled"}),
]
