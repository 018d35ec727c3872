# SPDX-License-Identifier: Apache-2.0
"""Outages that the spool bridges, and faults of the spool: killed amid it, its files damaged, its disk full."""

import os
import signal
import subprocess

from spooldamage import KINDS, Damage
from support import counters, numbering
from support.exporter import Code, Habits
from support.waiting import eventually
from scenarios.clients import slow_facts
from scenarios.disk import SmallDisk
from stage import Scenario

KIB = 1 << 10
SPOOL_BYTES_MAX = 2 << 20
DISK_MIB = 4
# Requests of which some fill a segment, and of which a transaction holds a few.
HABITS = Habits(rate=600.0, padding="x" * 300)
SETTINGS = {"database.connect_timeout": "1s", "database.writers": "1", "batch.rows_max": "40",
            "spool.segment_bytes": "64KiB"}


# --- outages

def outage(stage):
    """Acknowledged while the database is away; stored when it is back, while new data flows."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 200))
        stop_database(stage)
        stage.load.more(stage.rng.randint(300, 800))
        assert spooled_count(stage) or stage.test_break, "nothing came into the spool"
        stage.cluster.start()
        stage.load.more(stage.rng.randint(100, 300))
        wait_until_drained(stage)
    stage.load.more(100)


def killed(stage):
    """SIGKILL in the outage, with and without what is on disk of earlier lives, and amid replay."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 150))
        stop_database(stage)
        for _ in range(stage.rng.randint(1, 3)):
            stage.load.more(stage.rng.randint(50, 200))
            kill_and_start(stage, "SIGKILL in the outage")
        stage.load.more(200)
        stage.cluster.start()
        for _ in range(stage.rng.randint(1, 3)):
            wait_for_replay(stage, stage.rng.randint(1, 12))
            kill_and_start(stage, "SIGKILL amid replay")
        wait_until_drained(stage)
    stage.load.more(100)


def kill_and_start(stage, kind):
    stage.kill_daemon()
    stage.fault(kind)
    stage.start_daemon()


def stop_database(stage):
    stage.cluster.stop(stage.rng.choice([signal.SIGINT, signal.SIGQUIT]))
    stage.fault("outage of the database")


def spooled_count(stage):
    return counters.one(stage.api_ports[0], "starling_exports_spooled_total")


def wait_for_replay(stage, count):
    """Until that many more requests have come out of the spool, or all that there are."""
    port = stage.api_ports[0]
    known_count = counters.one(port, "starling_exports_replayed_total")
    eventually(lambda: counters.one(port, "starling_exports_replayed_total") >= known_count + count
               or not counters.one(port, "starling_spool_records"), "replay")


def wait_until_drained(stage):
    """Until the spool has nothing more, and all its files are gone."""
    eventually(lambda: not counters.one(stage.api_ports[0], "starling_spool_bytes"), "an empty spool", seconds=90)


# --- damage

# Those that a break is noticed by.
FIRST_KINDS = ("segments removed, cursor put back", "bits flipped in bodies")


def damaged(stage):
    """Between SIGKILL and the next start, in every way in turn; a short run has the first ones, and some others."""
    kinds = stage.rng.sample(list(KINDS), len(KINDS))
    kinds.sort(key=lambda kind: kind not in FIRST_KINDS)
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 100))
        stop_database(stage)
        stage.load.more(stage.rng.randint(300, 500))
        early_cursor = (stage.spool / "cursor").read_bytes()
        stage.cluster.start()
        wait_for_replay(stage, stage.rng.randint(1, 20))
        stage.kill_daemon()
        if not any(stage.spool.glob("*.spool")):
            stage.start_daemon()
            continue  # all of it was stored before the kill
        kinds.append(kinds.pop(0))
        damage = Damage(stage.spool, stage.rng, kinds[-1], early_cursor)
        damage.note(stage.damaged, lambda numbers: stored(stage, numbers), stage.journal_path)
        stage.fault(damage.kind)
        start_damaged(stage, damage)
    stage.load.more(100)


def start_damaged(stage, damage):
    """In another outage half the time: then new records follow those that were damaged."""
    expected_count, cut_off_bytes = damage.reported_count(), damage.cut_off_bytes()
    is_away = damage.kind in FIRST_KINDS or stage.rng.random() < 0.5
    known_size = len(stage.daemons[0].stderr())
    if is_away:
        stop_database(stage)
    stage.start_daemon()
    if is_away:
        stage.load.more(stage.rng.randint(100, 200))
        stage.cluster.start()
    wait_until_drained(stage)
    if stage.test_break:
        return
    said_count = counters.one(stage.api_ports[0], "starling_spool_records_damaged_total")
    assert said_count == expected_count, f"{damage.kind}: {said_count} records, not {expected_count}, are damaged"
    said = stage.daemons[0].stderr()[known_size:]
    assert not cut_off_bytes or f"cut off bytes={cut_off_bytes}\n" in said, f"{damage.kind}: {cut_off_bytes} bytes"


def stored(stage, numbers):
    """Those of them that are in the database."""
    with stage.connect() as connection:
        found = connection.execute(f"SELECT number FROM ({numbering.stored_query()}) AS stored "
                                   "WHERE number = ANY(%s)", [list(numbers)])
        return {number for number, in found}


# --- a full spool

def full(stage):
    """Past its bound, then on a full disk: clients are told to come back, and what was acknowledged is stored."""
    for number in stage.rounds():
        stage.load.more(stage.rng.randint(100, 300))
        stop_database(stage)
        is_disk = number % 2 == 1
        if is_disk:
            stage.disk.fill(stage.rng.randint(100, 900) * KIB)
        wait_for_refusals(stage, stage.rng.randint(5, 30))
        stage.fault("disk of the spool full" if is_disk else "spool full")
        has_room_early = is_disk and stage.rng.random() < 0.5
        if has_room_early:
            stage.disk.free()
            stage.load.more(stage.rng.randint(20, 100))
        stage.cluster.start()
        stage.load.more(stage.rng.randint(100, 300))
        wait_until_drained(stage)
        if is_disk and not has_room_early:
            stage.disk.free()
    stage.load.more(100)


def wait_for_refusals(stage, count):
    """Under a break none may come: then until more is acknowledged than a spool holds."""
    known_count = stage.load.attempt_count({Code.UNAVAILABLE})
    acknowledged_count = stage.load.tally.acknowledged_count
    stage.load.until(
        lambda tally: stage.load.attempt_count({Code.UNAVAILABLE}) >= known_count + count
        or stage.test_break and tally.acknowledged_count > acknowledged_count + 4_000,
        "refusals", seconds=120)


def told_when_to_come_back(stage):
    """The daemon lives through all of it: nobody is refused in any other way."""
    refused_count = stage.load.attempt_count({Code.UNAVAILABLE})
    told_count = stage.load.tally.retry_info_count
    assert told_count == refused_count, f"{told_count} of {refused_count} were told when to come back"


class OwnFileLimit:
    """RLIMIT_FSIZE of the daemon, for those who may not mount."""

    def __init__(self, stage):
        self.stage = stage

    def fill(self, left_bytes):
        self.limit(left_bytes // 32)

    def free(self):
        self.limit("unlimited")

    def limit(self, size):
        pid = self.stage.daemons[0].process.pid
        subprocess.run(["prlimit", f"--pid={pid}", f"--fsize={size}:unlimited"], check=True, capture_output=True)


# --- preparations

def with_spool(stage):
    stage.spool = stage.folder / "spool"
    stage.settings = {"spool.directory": str(stage.spool)}
    stage.stack.callback(database_back, stage)


def with_slow_replay(stage):
    with_spool(stage)
    slow_facts(stage)


def on_small_disk(stage):
    with_spool(stage)
    if os.getuid() == 0:
        stage.disk = SmallDisk(stage, "spool", DISK_MIB)
        stage.spool = stage.disk.path / "spool"
        stage.settings = {"spool.directory": str(stage.spool)}
    else:
        stage.disk = OwnFileLimit(stage)


def database_back(stage):
    """Where a scenario failed in an outage."""
    if stage.cluster.process is None:
        stage.cluster.start()


SCENARIOS = [
    Scenario(
        name="spool-outage", play=outage, rounds=3, prepare=with_spool, settle=wait_until_drained,
        settings=SETTINGS, habits=HABITS,
        what="PostgreSQL is away, clients are acknowledged from the spool, it comes back",
        breaks={"drop-spooled": "lost"}),
    Scenario(
        name="spool-killed", play=killed, rounds=2, prepare=with_slow_replay, settle=wait_until_drained,
        settings=SETTINGS, habits=HABITS,
        what="SIGKILL of the daemon while the spool fills, and while it is replayed",
        breaks={"no-spool-marks": "doubled", "drop-spooled": "lost"}),
    Scenario(
        name="spool-damaged", play=damaged, rounds=4, prepare=with_slow_replay, settle=wait_until_drained,
        settings=SETTINGS, habits=HABITS,
        what="bits flipped, blocks cleared, files cut and removed in the spool while no daemon has it",
        breaks={"no-spool-checksum": "stored though damaged", "keep-stale-marks": "lost"}),
    Scenario(
        name="spool-full", play=full, rounds=2, prepare=on_small_disk, settle=wait_until_drained,
        check=told_when_to_come_back,
        habits=Habits(client_count=60, padding="x" * 2_000, rate=1_500.0, timeout_seconds=30.0),
        settings={"database.connect_timeout": "1s", "ring.exports_max": "16", "spool.segment_bytes": "256KiB",
                  "spool.bytes_max": f"{SPOOL_BYTES_MAX}B", "limits.request_bytes_max": "1MiB",
                  "limits.unpacked_bytes_max": "2MiB"},
        what="the spool has reached its bound, or its file system has no block left, and later has again",
        breaks={"ack-when-spool-full": "lost"}),
]
