# SPDX-License-Identifier: Apache-2.0
"""A disk of the database is full, and has room again.

Root mounts a small file system for it and fills that up. Who is not root limits the size of files of
PostgreSQL's processes instead.
"""

import os
from pathlib import Path
import pwd
import shutil
import signal
import subprocess

from support.cluster import SERVER_USER
from support.exporter import Habits
from support.waiting import eventually
from stage import Scenario, is_away, try_connect

DISK_FULL = ("No space left on device", "File too large")
# Room for a copy of the migrated database, or some segments of WAL, and for what a run adds.
SIZE_MIB = 96
# Less than any segment of WAL; and more than one, for tables that have grown beyond it before.
WAL_LIMIT_BYTES = 64 << 10
TABLE_LIMIT_BYTES = 17 << 20


def disk_full(stage):
    """Until PostgreSQL has failed a few times for lack of room."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(100, 300))
        known_count = failure_count(stage)
        stage.disk.fill()
        stage.fault("disk full")
        eventually(lambda: failure_count(stage) >= known_count + 3, "PostgreSQL to want room on the disk")
        stage.disk.free()
    stage.load.more(300)


def wal_full(stage):
    """Without room for its log PostgreSQL stops, and cannot start before there is some."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(100, 300))
        stage.disk.fill()
        stage.fault("disk of the WAL full")
        eventually(lambda: not switch_wal(stage), "PostgreSQL to stop for lack of room for its WAL")
        stage.disk.free()
        stage.cluster.restart(signal.SIGQUIT)
    stage.load.more(300)


def switch_wal(stage):
    """Makes PostgreSQL begin a new segment; whether it could."""
    connection = try_connect(stage.cluster.connect)
    if connection is None:
        return False
    try:
        connection.execute("SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'faults', 'x')")
    except Exception:
        return False
    finally:
        connection.close()
    return True


def failure_count(stage):
    log = stage.cluster.log.read_text()
    return sum(log.count(text) for text in DISK_FULL)


class SmallDisk:
    """A tmpfs, filled up by a ballast file."""

    def __init__(self, stage, name, size_mib=SIZE_MIB):
        self.path = stage.cluster.folder / f"{name}_{stage.database}"
        self.path.mkdir()
        self.ballast = self.path / "ballast"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=700", "starling-faults", self.path],
                       check=True, capture_output=True)
        stage.late.callback(self.remove)
        give_to_server(self.path)

    def fill(self, left_bytes=0):
        """But for `left_bytes`."""
        with open(self.ballast, "wb", buffering=0) as file:
            for block_size in (1 << 20, 4096):
                try:
                    while file.write(bytes(block_size)) == block_size:
                        pass
                except OSError:
                    continue  # no room for another one of this size
            file.truncate(max(0, file.tell() - left_bytes))

    def free(self):
        self.ballast.unlink()

    def remove(self):
        subprocess.run(["umount", self.path], check=True, capture_output=True)
        self.path.rmdir()


class FileLimit:
    """RLIMIT_FSIZE of the backends that there are, and of the postmaster, from which others have theirs."""

    def __init__(self, stage, size_bytes):
        self.stage = stage
        self.size_bytes = size_bytes
        stage.late.callback(self.free)

    def fill(self):
        if self.size_bytes == TABLE_LIMIT_BYTES:
            self.grow_logs()
        self.limit(self.size_bytes)

    def grow_logs(self):
        """Beyond the limit, with rows that nobody ever sees."""
        with self.stage.connect() as connection:
            connection.execute(
                "BEGIN; INSERT INTO otel_logs_fact (time_unix_nano, log_id, resource_id, body_text) "
                "SELECT time_unix_nano, -number, resource_id, repeat('x', 1500) "
                "FROM (SELECT * FROM otel_logs_fact LIMIT 1) AS one, "
                f"generate_series(1, {self.size_bytes // 1500}) AS number; ROLLBACK")

    def free(self):
        if self.stage.cluster.process.poll() is None:
            self.limit("unlimited")

    def limit(self, size):
        """As the server's own account: root of a container may not touch limits of others."""
        postmaster = self.stage.cluster.process.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        account = []
        if os.getuid() == 0:
            account = ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--clear-groups"]
        for pid in (str(postmaster), *children):
            result = subprocess.run([*account, "prlimit", f"--pid={pid}", f"--fsize={size}:unlimited"],
                                    capture_output=True, text=True)
            assert result.returncode == 0 or is_away(pid), result.stderr


def give_to_server(path):
    user = pwd.getpwnam(SERVER_USER)
    os.chown(path, user.pw_uid, user.pw_gid)


def small_files(stage):
    stage.disk = FileLimit(stage, TABLE_LIMIT_BYTES)


def tables_on_small_disk(stage):
    if os.getuid() != 0:
        return small_files(stage)
    stage.disk = SmallDisk(stage, "tables")
    folder = stage.disk.path / "space"
    folder.mkdir()
    give_to_server(folder)
    with stage.cluster.connect() as connection:
        connection.execute(f"CREATE TABLESPACE {stage.database} LOCATION '{folder}'")
        stage.late.callback(drop_tablespace, stage)
        connection.execute(f"ALTER DATABASE {stage.database} SET TABLESPACE {stage.database}")


def drop_tablespace(stage):
    with stage.cluster.connect() as connection:
        connection.execute(f"DROP TABLESPACE {stage.database}")


def wal_on_small_disk(stage):
    if os.getuid() != 0:
        stage.disk = FileLimit(stage, WAL_LIMIT_BYTES)
        return
    stage.disk = SmallDisk(stage, "wal")
    # Else segments are kept for later use until there are more of them than there is room for.
    alter_system(stage, "SET max_wal_size = '48MB'", "SET min_wal_size = '32MB'")
    stage.late.callback(alter_system, stage, "RESET max_wal_size", "RESET min_wal_size")
    stage.late.callback(move_wal, stage, stage.cluster.folder / "wal_back")
    move_wal(stage, stage.disk.path / "pg_wal")


def alter_system(stage, *changes):
    with stage.cluster.connect() as connection:
        for change in changes:
            connection.execute(f"ALTER SYSTEM {change}")


def move_wal(stage, target):
    """Stops the server, and leaves a link to where its log is now, or the folder itself if it comes back."""
    link = stage.cluster.data / "pg_wal"
    stage.cluster.stop()
    source = link.resolve()
    shutil.move(source, target)
    own(target)
    if link.is_symlink():
        link.unlink()
        target.rename(link)
    else:
        link.symlink_to(target)
    stage.cluster.start()


def own(folder):
    for path in (folder, *folder.rglob("*")):
        give_to_server(path)


SCENARIOS = [
    Scenario(
        name="disk-full", play=disk_full, rounds=2, prepare=tables_on_small_disk,
        what="the file system of the tables has no block left, and later has again",
        breaks={"drop-batch-on-error": "lost"}),
    Scenario(
        name="quota-reached", play=disk_full, rounds=1, prepare=small_files, habits=Habits(padding="x" * 1500),
        what="the tables may not grow, by a limit that PostgreSQL has no SQLSTATE for, and later may again",
        breaks={"drop-batch-on-error": "lost"}),
    Scenario(
        name="wal-full", play=wal_full, rounds=1, prepare=wal_on_small_disk,
        what="the file system of the WAL has no block left, at which PostgreSQL panics, and later has again",
        breaks={"drop-batch-on-reconnect": "lost"}),
]
