# SPDX-License-Identifier: Apache-2.0
"""Faults of PostgreSQL: it is killed, it restarts, it ends a connection at the worst moment."""

import os
from pathlib import Path
import signal

from support.pgproxy import CUT, PASS
from support.waiting import eventually
from stage import Scenario, is_away


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
    cut = []

    def at_commit(moment, link):
        if moment != wanted or cut:
            return PASS
        cut.append(link)
        return CUT

    stage.proxy.at_commit = at_commit
    eventually(lambda: cut, f"a transaction to be cut {wanted} its COMMIT")
    stage.fault(f"cut {wanted} COMMIT")


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
]
