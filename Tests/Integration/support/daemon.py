# SPDX-License-Identifier: Apache-2.0
"""The daemon under test as a process: started, waited for through NOTIFY_SOCKET, stopped, measured."""

import os
from pathlib import Path
import signal
import socket
import subprocess
import threading

from support.waiting import eventually

READY_SECONDS = 60.0
STOP_SECONDS = 60.0


class NotifySocket:
    """The receiving end of sd_notify: a datagram socket whose path goes into NOTIFY_SOCKET.

    A thread empties it all the time, as systemd does: the kernel holds ten datagrams, and one more
    would block the sender.
    """

    def __init__(self, path):
        self.path = path
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(str(path))
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def _receive(self):
        while data := self.socket.recv(65536):  # an empty datagram is ours, see close
            self.lines += data.decode().splitlines()

    def close(self):
        """Ends the thread; what was sent before is in `lines` then."""
        if self.thread.is_alive():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", str(self.path))
            self.thread.join()
            self.socket.close()
            self.path.unlink()


class Daemon:
    """One run of the binary. `arguments` follow the binary; `environment` is added to a clean one."""

    def __init__(self, binary, arguments, environment, folder):
        self.command = [str(binary), *arguments]
        self.environment = environment
        self.folder = Path(folder)
        self.pass_fds = ()
        self.notify = None
        self.process = None

    def start(self, seconds=READY_SECONDS):
        self.notify = NotifySocket(self.folder / "notify")
        # Off unless a test wants them: many daemons run side by side, and each has one default port.
        environment = (clean_environment() | {"STARLING_LISTEN_API": "", "STARLING_LISTEN_HTTP": ""} | self.environment
                       | {"NOTIFY_SOCKET": str(self.notify.path)})
        with open(self.folder / "stdout", "ab") as out, open(self.folder / "stderr", "ab") as err:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *self.command],
                env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.folder,
                pass_fds=self.pass_fds)
        eventually(self._is_ready, "READY=1 from the daemon", seconds)
        return self

    def _is_ready(self):
        assert self.is_running(), f"ended with {self.process.returncode} before READY=1\n{self.output()}"
        return "READY=1" in self.notify.lines

    def is_running(self):
        return self.process.poll() is None

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """The exit status."""
        try:
            return self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {STOP_SECONDS:.0f} s after SIGTERM\n{self.output()}") from None

    def stop(self):
        """SIGTERM, and the exit status."""
        if self.is_running():
            self.terminate()
        status = self.wait()
        self.notify.close()
        return status

    def kill(self):
        """For teardown after a failure."""
        if self.process is not None and self.is_running():
            self.process.kill()
            self.process.wait()
        if self.notify is not None:
            self.notify.close()

    def stdout(self):
        return (self.folder / "stdout").read_text(errors="replace")

    def stderr(self):
        return (self.folder / "stderr").read_text(errors="replace")

    def output(self, size_max=20_000):
        """What it printed, the end of it, for failure messages."""
        return f"--- stdout\n{self.stdout()[-size_max:]}\n--- stderr\n{self.stderr()[-size_max:]}"

    def resident_bytes(self):
        return self._status_bytes("VmRSS")

    def resident_peak_bytes(self):
        return self._status_bytes("VmHWM")

    def _status_bytes(self, field):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field} for process {self.process.pid}")


def run(binary, *arguments, environment=None, folder=None, seconds=120):
    """Runs a verb that ends by itself; the completed process with text output."""
    try:
        return subprocess.run([str(binary), *arguments], env=clean_environment() | (environment or {}),
                              cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(f"`starling {' '.join(arguments)}` still runs after {seconds} s:\n"
                             f"{(expired.stderr or b'').decode()}") from None


def clean_environment():
    """Ours without anything that would configure the daemon or libpq behind the test's back."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("STARLING_", "PG", "NOTIFY_", "LISTEN_", "OTEL_"))}


def free_port():
    """A TCP port on the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
