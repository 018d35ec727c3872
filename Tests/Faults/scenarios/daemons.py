# SPDX-License-Identifier: Apache-2.0
"""Faults of the daemon: it is killed."""

from stage import Scenario


def killed(stage):
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 400))
        stage.kill_daemon()
        stage.fault("SIGKILL of the daemon")
        stage.start_daemon()
    stage.load.more(200)


SCENARIOS = [
    Scenario(
        name="daemon-killed", play=killed, rounds=5,
        what="SIGKILL of the daemon at random counts of acknowledged items",
        breaks={"ack-before-commit": "lost"}),
]
