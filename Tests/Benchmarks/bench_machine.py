# SPDX-License-Identifier: Apache-2.0
"""What the machine says: CPU time and memory of processes, and what it and the programs on it are."""

import os
from pathlib import Path
import platform
import re
import subprocess
import threading
from urllib.request import urlopen

BUDGET_USED = re.compile(rb"^starling_memory_budget_used_bytes (\S+)$", re.MULTILINE)
SAMPLE_SECONDS = 0.05


def cpu_times(pids):
    """User and system time of processes, in ns by thread."""
    times = {}
    for pid in pids:
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                times[path.parent.name] = int(path.read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue  # a thread or process that has just ended
    return times


def cpu_ns(before, after):
    """What was used between two looks, by threads that are there at the second."""
    return sum(ns - before.get(thread, 0) for thread, ns in after.items())


def forget_peak(pid):
    """Begins a new peak of resident memory: 5 means that (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class BudgetSampler:
    """The most that a daemon held for requests, by its own account, while inside."""

    def __init__(self, api):
        self.url = f"http://{api}/metrics"
        self.peak_bytes = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stopped.wait(SAMPLE_SECONDS):
            with urlopen(self.url, timeout=10) as answer:
                found = BUDGET_USED.search(answer.read())
            self.peak_bytes = max(self.peak_bytes, int(float(found[1])))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def line(*command):
    """What a program prints, its first line; empty where there is no such program."""
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0].strip()
    except FileNotFoundError:
        return ""


def facts(world):
    """Commit, machine and versions, for whoever compares two runs."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    with world.connect() as db:
        server = db.execute("SELECT version()").fetchone()[0]
    return {
        "commit": line("git", "rev-parse", "HEAD"),
        "is_changed_since": bool(line("git", "status", "--porcelain", "--untracked-files=no")),
        "machine": {
            "processor": model[1] if model else platform.machine(), "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "kernel": platform.platform(),
            "load_average": os.getloadavg()},
        "versions": {
            "starling": line(world.daemons["main"].command[0], "--version"), "postgresql": server,
            "swift": line("swift", "--version"), "openssl": line("openssl", "version"),
            "python": platform.python_version()},
    }
