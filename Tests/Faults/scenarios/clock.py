# SPDX-License-Identifier: Apache-2.0
"""The daemon's clock jumps, forward and back, while the clock of PostgreSQL goes on as it should."""

from pathlib import Path

from support.pgproxy import CUT
from stage import Scenario

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
HOUR_SECONDS = 3600


def find_library():
    for pattern in LIBRARIES:
        for path in Path("/").glob(pattern[1:]):
            return str(path)
    raise AssertionError("libfaketime is missing: scripts/install-packages")


def prepare(stage):
    stage.offset_path = stage.folder / "offset"
    set_clock(stage, 0)
    stage.environment = {
        "LD_PRELOAD": find_library(), "FAKETIME_TIMESTAMP_FILE": str(stage.offset_path),
        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


def set_clock(stage, offset_seconds):
    """Atomically, because the daemon reads it at any time."""
    new = stage.offset_path.with_suffix(".new")
    new.write_text(f"{offset_seconds:+d}\n")
    new.rename(stage.offset_path)


def jumps(stage):
    """COMMIT, then the clock jumps, and only then the batch is sent again.

    The window in which a retry is recognised is 15 minutes, a partition spans an hour.
    """
    for number in stage.rounds():
        offset_seconds = (-1) ** number * stage.rng.randint(1, 20 * HOUR_SECONDS)
        jump_after_commit(stage, offset_seconds)
        stage.load.more(stage.rng.randint(50, 150))
    for offset_seconds in (3 * HOUR_SECONDS, -3 * HOUR_SECONDS, 0):
        jump_after_commit(stage, offset_seconds)
        stage.load.more(50)
    stage.load.more(100)


def jump_after_commit(stage, offset_seconds):
    def jump(moment, link):
        set_clock(stage, offset_seconds)
        return CUT

    stage.at_one_commit("after", jump)
    stage.fault("clock jumps between COMMIT and retry")


SCENARIOS = [
    Scenario(
        name="clock-jumps", play=jumps, rounds=4, prepare=prepare, has_proxy=True,
        settings={"partitions.interval": "1h"},
        what="the daemon's clock jumps by hours, forward and back, between a COMMIT and the retry",
        breaks={"no-ledger": "doubled"}),
]
