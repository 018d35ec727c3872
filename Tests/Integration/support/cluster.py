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
    """Owns a data folder and the postgres process on it. Not thread-safe."""

    def __init__(self):
        self.programs = find_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="starling-pg-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.process = None
        if os.getuid() == 0:
            user = pwd.getpwnam(SERVER_USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
                  f"--username={SUPERUSER}", f"--pgdata={self.data}")

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

    def conninfo(self, database="postgres"):
        return f"host={self.folder} dbname={database} user={SUPERUSER}"

    def url(self, database):
        """The same as a libpq URI."""
        return f"postgresql://{SUPERUSER}@/{database}?host={str(self.folder).replace('/', '%2F')}"

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
    """Name -> path of initdb and postgres: both from PATH, or from Debian's newest versioned folder."""
    versioned = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    for folder in [None, *reversed(versioned)]:
        found = {name: shutil.which(name, path=folder) for name in ("initdb", "postgres")}
        if all(found.values()):
            return found
    raise AssertionError("no PostgreSQL: initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin")
