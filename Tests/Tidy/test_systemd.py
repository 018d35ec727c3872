# SPDX-License-Identifier: Apache-2.0
"""The unit, the account and the folders, held against systemd's own tools. No systemd has to run."""

import json
from pathlib import Path
import re
import shutil
import subprocess

import pytest

from repository import ROOT

UNIT = ROOT / "systemd" / "starling.service"
SOCKETS = {"grpc": ROOT / "systemd" / "starling.socket", "http": ROOT / "systemd" / "starling-http.socket"}
SYSUSERS = ROOT / "systemd" / "starling.sysusers"
TMPFILES = ROOT / "systemd" / "starling.tmpfiles"

# systemd counts in tenths: 15 is a level of 1.5, where 10.0 is a daemon without any restriction.
EXPOSURE_TENTHS_MAX = 15


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def exposure_check(unit):
    return run(
        *("systemd-analyze", "security", "--offline=true", "--no-pager"),
        *(f"--threshold={EXPOSURE_TENTHS_MAX}", unit),
    )


def verify(unit):
    # Only this unit: what it is ordered after belongs to the machine.
    return run("systemd-analyze", "verify", "--recursive-errors=no", unit)


@pytest.fixture
def installed_unit(tmp_path):
    """The text of the unit, with a program that exists in the place of the daemon."""
    binary = tmp_path / "starling"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    text, count = re.subn(r"(?m)^(ExecStart=)\S+", rf"\g<1>{binary}", UNIT.read_text())
    assert count == 1
    return text


def write_unit(folder, text):
    path = folder / UNIT.name
    path.write_text(text)
    return path


# --- exposure -----------------------------------------------------------------------------------


def test_exposure_is_low():
    result = exposure_check(UNIT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("line", ["CapabilityBoundingSet=", "User=starling"])
def test_exposure_check_can_fail(tmp_path, line):
    text = UNIT.read_text()
    assert f"\n{line}\n" in text
    unit = write_unit(tmp_path, text.replace(f"\n{line}\n", "\n"))
    if line.startswith("User="):
        assert exposed(unit, "UserOrDynamicUser")
    else:
        assert exposure_check(unit).returncode != 0


def exposed(unit, field):
    """Whether systemd finds fault with one restriction of the unit."""
    result = run("systemd-analyze", "security", "--offline=true", "--json=short", unit)
    [entry] = [item for item in json.loads(result.stdout) if item["json_field"] == field]
    return entry["exposure"] is not None


# --- syntax and settings ------------------------------------------------------------------------


def test_unit_is_accepted(tmp_path, installed_unit):
    result = verify(write_unit(tmp_path, installed_unit))
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


@pytest.mark.parametrize(
    "old, new",
    [
        ("Type=notify", "Type=notified"),
        ("WatchdogSec=30s", "WatchDogSecond=30s"),
        ("[Install]", "[Instal]"),
        ("ExecReload=/bin/kill", "ExecReload=/bin/no-such-program"),
    ],
)
def test_unit_check_can_fail(tmp_path, installed_unit, old, new):
    assert old in installed_unit
    result = verify(write_unit(tmp_path, installed_unit.replace(old, new)))
    assert result.returncode != 0 or result.stderr != ""


def setting(name, text=None):
    """The last value of a setting of the unit."""
    values = re.findall(rf"(?m)^{name}=(.*)$", UNIT.read_text() if text is None else text)
    assert values, f"{name}= is not set"
    return values[-1]


def test_daemon_has_time_to_drain():
    default = re.search(
        r"(?m)^\s*#?\s*drain_timeout:\s*(\d+)s\b", (ROOT / "config/starling.yaml").read_text()
    )
    assert default, "config/starling.yaml has no shutdown.drain_timeout in seconds"
    assert int(setting("TimeoutStopSec").removesuffix("s")) >= int(default.group(1)) + 10


def test_restart_does_not_repeat_what_cannot_succeed():
    assert setting("Restart") == "on-failure"
    assert setting("RestartPreventExitStatus").split() == ["64", "78"]


# --- the sockets --------------------------------------------------------------------------------


@pytest.mark.parametrize("socket", SOCKETS.values(), ids=SOCKETS)
def test_socket_is_accepted(tmp_path, installed_unit, socket):
    write_unit(tmp_path, installed_unit)
    path = tmp_path / socket.name
    path.write_text(socket.read_text())
    result = verify(path)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


def test_socket_check_can_fail(tmp_path, installed_unit):
    write_unit(tmp_path, installed_unit)
    path = tmp_path / SOCKETS["grpc"].name
    path.write_text(SOCKETS["grpc"].read_text().replace("ListenStream=", "ListenStreams="))
    result = verify(path)
    assert result.returncode != 0 or result.stderr != ""


def test_socket_has_a_name_that_the_daemon_knows():
    names = re.search(
        r"enum ListenerName:.*?case (.*?)\n", (ROOT / "Sources/Collector/Config/Configuration+TLS.swift").read_text(),
        re.DOTALL)
    for name, socket in SOCKETS.items():
        assert setting("FileDescriptorName", socket.read_text()) == name
        assert names and name in names.group(1).split(", ")


# --- account and folders ------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path):
    """A root folder in which the account and the folders of the package have been made."""
    (tmp_path / "etc/starling").mkdir(parents=True)
    (tmp_path / "etc/starling/starling.yaml").write_text("")
    result = run("systemd-sysusers", f"--root={tmp_path}", SYSUSERS)
    assert result.returncode == 0, result.stderr
    return tmp_path


def account(machine, name):
    lines = (machine / "etc/passwd").read_text().splitlines()
    return next((line.split(":") for line in lines if line.split(":")[0] == name), None)


def test_account_cannot_log_in(machine):
    name, _, user_id, _, _, home, shell = account(machine, setting("User"))
    assert name == setting("Group") == "starling"
    assert int(user_id) != 0
    assert shell.endswith("/nologin")
    assert home == f"/var/lib/{setting('StateDirectory')}"


def test_folders_are_those_of_the_unit():
    lines = [line.split() for line in TMPFILES.read_text().splitlines() if line[:1] == "d" or line[:1] == "z"]
    rules = {words[1]: words for words in lines}
    state = rules[f"/var/lib/{setting('StateDirectory')}"]
    assert state[2:5] == [setting("StateDirectoryMode"), setting("User"), setting("Group")]
    config = rules[f"/etc/{setting('ConfigurationDirectory')}"]
    assert config[2] == setting("ConfigurationDirectoryMode")
    # Nobody but root writes the configuration, and only the daemon's group reads it.
    assert rules["/etc/starling/starling.yaml"][2:5] == ["0640", "root", setting("Group")]


def test_folders_are_accepted(machine):
    result = run("systemd-tmpfiles", f"--root={machine}", "--create", TMPFILES)
    # Without root the owner cannot be changed; what the file says was still understood.
    is_only_about_owners = re.fullmatch(r"(.*(Operation not permitted)\n)*", result.stderr)
    assert result.returncode == 0 or is_only_about_owners, result.stderr
    assert (machine / "var/lib/starling").is_dir()


def test_tools_are_there():
    """A machine without them would pass nothing: say so plainly."""
    for tool in ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles"):
        assert shutil.which(tool), f"{tool} is missing; make deps installs it"
    assert all(Path(path).is_file() for path in (UNIT, SYSUSERS, TMPFILES))
