# SPDX-License-Identifier: Apache-2.0
"""`make install` puts the files where packages and papers look for them."""

import subprocess

from repository import ROOT, files


def install(folder, *, prefix="/usr"):
    binary = folder / "starling"
    binary.write_text("#!/bin/sh\n")
    destination = folder / "root"
    command = [ROOT / "scripts" / "install-files", binary, destination, prefix, "/etc"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {str(path.relative_to(destination)): path for path in destination.rglob("*") if path.is_file()}


def test_everything_is_in_its_place(tmp_path):
    installed = install(tmp_path)
    wanted = {"usr/bin/starling", "etc/starling/starling.yaml", "usr/lib/systemd/system/starling.service"}
    documents = [file for file in files() if file.path.startswith("docs/") and file.path.count("/") == 1]
    wanted |= {f"usr/share/doc/starling/{file.name}" for file in documents if file.suffix == ".md"}
    assert wanted <= installed.keys()


def test_grafana_files_keep_their_folders(tmp_path):
    installed = install(tmp_path)
    sources = {file.path: file.text for file in files() if file.is_below("config/grafana")}
    assert len(sources) >= 7
    for path, text in sources.items():
        placed = installed[path.replace("config/", "usr/share/starling/", 1)]
        assert placed.read_text() == text and placed.stat().st_mode & 0o777 == 0o644


def test_a_configuration_that_is_there_stays(tmp_path):
    installed = install(tmp_path)
    installed["etc/starling/starling.yaml"].write_text("mine: 1\n")
    assert install(tmp_path)["etc/starling/starling.yaml"].read_text() == "mine: 1\n"
