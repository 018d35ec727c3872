# SPDX-License-Identifier: Apache-2.0
"""A throwaway PostgreSQL cluster: UNIX socket only, no fsync, gone with the test run."""

import glob
import os
from pathlib import Path
import pwd
import shutil
import signal
import subprocess
import tempfile

import psycopg

from support.waiting import eventually

SUPERUSER = "starling"
SERVER_USER = "postgres"  # initdb and postgres refuse to run as root

PROGRAMS = ("initdb", "postgres", "pg_basebackup", "pg_ctl")

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
    # A crash must not take 5 s to be noticed or to be recovered from.
    "restart_after_crash": "on",
}


class Cluster:
    """Owns a data folder and the postgres process on it. Not thread-safe.

    With `primary`, a running cluster, it is a hot standby that streams from there.
    """

    def __init__(self, primary=None):
        self.programs = find_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="starling-pg-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.process = None
        if os.getuid() == 0:
            user = pwd.getpwnam(SERVER_USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        if primary is None:
            self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
                      f"--username={SUPERUSER}", f"--pgdata={self.data}")
        else:
            self._run("pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf",
                      f"--pgdata={self.data}", f"--dbname={primary.conninfo()}")

    def start(self):
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = self._command("postgres", "-D", str(self.data), "-k", str(self.folder), *options)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        eventually(self.accepts, "PostgreSQL to accept connections")

    def stop(self, how=signal.SIGINT):
        """SIGINT is a fast shutdown, SIGQUIT an immediate one (recovery follows, as after a crash)."""
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(timeout=60)
        self.process = None

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def promote(self):
        """Makes a primary of a standby; returns once it takes writes."""
        self._run("pg_ctl", "promote", "--wait", f"--pgdata={self.data}")

    def configure(self, **settings):
        """ALTER SYSTEM and reload; None is back to the default."""
        with self.connect() as connection:
            for name, value in settings.items():
                connection.execute(f"ALTER SYSTEM SET {name} = " + ("DEFAULT" if value is None else f"'{value}'"))
            connection.execute("SELECT pg_reload_conf()")

        def is_in_force():
            with self.connect() as connection:
                return all(value is None or connection.execute(f"SHOW {name}").fetchone()[0] == value
                           for name, value in settings.items())
        eventually(is_in_force, f"{settings} to be in force")

    def conninfo(self, database="postgres"):
        return f"host={self.folder} dbname={database} user={SUPERUSER}"

    def url(self, database, user=SUPERUSER):
        """The same as a libpq URI."""
        return f"postgresql://{user}@/{database}?host={str(self.folder).replace('/', '%2F')}"

    def connect(self, database="postgres", **options):
        return psycopg.connect(self.conninfo(database), autocommit=True, **options)

    def create_database(self, name):
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')

    def drop_database(self, name):
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def accepts(self):
        """Whether a connection can be made now."""
        if self.process.poll() is not None:
            raise AssertionError(f"postgres ended with {self.process.returncode}:\n{self.log.read_text()}")
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _command(self, program, *arguments):
        drop = [f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--clear-groups"] if os.getuid() == 0 else []
        # With its parent gone nobody would stop it: let the kernel.
        return ["setpriv", "--pdeathsig", "QUIT", *drop, "--", self.programs[program], *arguments]

    def _run(self, program, *arguments):
        result = subprocess.run(self._command(program, *arguments), cwd=self.folder,
                                capture_output=True, text=True)
        assert result.returncode == 0, f"{program}: {result.stderr}"


def find_programs():
    """Name -> path of each of PROGRAMS: all from PATH, or from Debian's newest versioned folder."""
    versioned = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    for folder in [None, *reversed(versioned)]:
        found = {name: shutil.which(name, path=folder) for name in PROGRAMS}
        if all(found.values()):
            return found
    raise AssertionError(f"no PostgreSQL: {PROGRAMS} are neither in PATH nor in /usr/lib/postgresql/*/bin")
