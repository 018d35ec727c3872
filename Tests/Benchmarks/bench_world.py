# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL and daemons of its own for bench.py, in a temporary folder, with fsync on."""

import os
from pathlib import Path

import psycopg

from support.daemon import Daemon, free_port, run

BINARY = Path(os.environ.get("STARLING_BINARY", ".build/release/starling")).resolve()
# That of `starling up` is meant for one daemon.
SERVER_CONNECTIONS = 100


def conninfo_of(state, database="starling"):
    """Of the PostgreSQL that `starling up` runs in the folder `state`."""
    socket = next(path for path in state.rglob(".s.PGSQL.*") if not path.name.endswith(".lock"))
    return f"host={socket.parent} port={socket.name.rsplit('.', 1)[1]} dbname={database} user=starling"


class World:
    """`main` is `starling up`; the others, by their names, are `starling serve` on the same server.

    `writers-N` has N writers on the same database, `partitions-N` a database of its own whose fact tables have N
    partitions each. Only `main` says what it holds in memory: the others are the role that takes telemetry in, and
    nothing else."""

    def __init__(self, folder, names):
        self.folder = folder
        self.names = [name for name in names if name != "main"]
        self.state = folder / "state"
        self.databases = ["starling"]
        self.daemons, self.endpoints, self.idle_bytes = {}, {}, []
        self.api = f"127.0.0.1:{free_port()}"

    def __enter__(self):
        try:
            self._start("main", ["up", "--state-dir", str(self.state)], {"STARLING_LISTEN_API": self.api})
            self._widen_server()
            for name in self.names:
                what, _, count = name.partition("-")
                if what == "writers":
                    self._serve(name, "starling", {"STARLING_DATABASE_WRITERS": count})
                else:
                    self._serve_partitions(name, int(count))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # The one with the server last.
        for daemon in reversed(self.daemons.values()):
            daemon.stop()

    def _widen_server(self):
        """The setting wants another start of the server, hence of the daemon that owns it."""
        with self.connect() as db:
            db.execute(f"ALTER SYSTEM SET max_connections = {SERVER_CONNECTIONS}")
        self.daemons["main"].stop()
        self.daemons["main"].start()

    def _start(self, name, arguments, environment):
        folder = self.folder / name
        folder.mkdir()
        self.endpoints[name] = f"127.0.0.1:{free_port()}"
        daemon = Daemon(BINARY, arguments, environment | {"STARLING_LISTEN_GRPC": self.endpoints[name]}, folder)
        self.daemons[name] = daemon.start()
        return daemon

    def _serve(self, name, database, environment):
        daemon = self._start(name, ["serve"], environment | {"STARLING_DATABASE_URL": self.conninfo(database)})
        self.idle_bytes.append(daemon.resident_bytes())

    def _serve_partitions(self, name, count):
        database = name.replace("-", "_")
        self.databases.append(database)
        environment = {"STARLING_DATABASE_URL": self.conninfo(database), "STARLING_PARTITIONS_AHEAD": f"{count - 1}d"}
        with self.connect() as db:
            db.execute(f"CREATE DATABASE {database}")
        for verb in (["migrate"], ["partitions", "ensure"]):
            result = run(BINARY, *verb, environment=environment, seconds=600)
            assert result.returncode == 0, result.stderr
        self._serve(name, database, environment)

    def conninfo(self, database="starling"):
        return conninfo_of(self.state, database)

    def connect(self, database="starling"):
        return psycopg.connect(self.conninfo(database), autocommit=True)

    def server_pids(self):
        """The postmaster and its children."""
        postmaster = int(next(self.state.rglob("postmaster.pid")).read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def clear(self):
        """Empties what has rows, of the partitioned tables."""
        for database in self.databases:
            with self.connect(database) as db:
                tables = db.execute("SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relkind = 'r' "
                                    "AND relispartition AND pg_relation_size(oid) > 0").fetchone()[0]
                if tables:
                    db.execute(f"TRUNCATE {tables}")
        self.settle()

    def settle(self):
        """Has the server write what earlier cases left in its memory."""
        with self.connect() as db:
            db.execute("CHECKPOINT")
