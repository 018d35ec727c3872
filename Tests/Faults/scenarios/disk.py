# SPDX-License-Identifier: Apache-2.0
"""The database's disk is full, and has room again."""

import os
import pwd
import subprocess

from support.cluster import SERVER_USER
from support.waiting import eventually
from stage import Scenario

DISK_FULL = "No space left on device"
# Room for a copy of the migrated database and what a run adds.
SIZE_MIB = 96


def disk_full(stage):
    """A ballast file takes the room that is left, until PostgreSQL has failed a few times for lack of it."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(100, 300))
        ballast = stage.disk / "ballast"
        known_count = stage.cluster.log.read_text().count(DISK_FULL)
        fill(ballast)
        stage.fault("disk full")
        eventually(lambda: stage.cluster.log.read_text().count(DISK_FULL) >= known_count + 3,
                   "PostgreSQL to want room on the disk")
        ballast.unlink()
    stage.load.more(300)


def fill(path):
    """Takes every block that is left."""
    with open(path, "wb", buffering=0) as file:
        for block_size in (1 << 20, 4096):
            try:
                while file.write(bytes(block_size)) == block_size:
                    pass
            except OSError:
                continue  # no room for another one of this size


def small_disk(stage):
    """The database of the run on a file system of its own."""
    stage.disk = mounted(stage)
    with stage.cluster.connect() as connection:
        connection.execute(f"CREATE TABLESPACE {stage.database} LOCATION '{stage.disk / 'tables'}'")
        stage.late.callback(drop_tablespace, stage)
        connection.execute(f"ALTER DATABASE {stage.database} SET TABLESPACE {stage.database}")


def drop_tablespace(stage):
    with stage.cluster.connect() as connection:
        connection.execute(f"DROP TABLESPACE {stage.database}")


def mounted(stage):
    disk = stage.cluster.folder / f"disk_{stage.database}"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=755", "starling-faults", str(disk)]
    subprocess.run(command, check=True, capture_output=True)
    stage.late.callback(disk.rmdir)
    stage.late.callback(lambda: subprocess.run(["umount", str(disk)], check=True, capture_output=True))
    (disk / "tables").mkdir()
    user = pwd.getpwnam(SERVER_USER)
    for folder in (disk, disk / "tables"):
        os.chown(folder, user.pw_uid, user.pw_gid)
    return disk


SCENARIOS = [
    Scenario(
        name="disk-full", play=disk_full, rounds=2, prepare=small_disk,
        what="the file system of the database has no block left, and later has again",
        breaks={"drop-batch-on-error": "lost"}),
]
