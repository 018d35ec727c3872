# SPDX-License-Identifier: Apache-2.0
"""The files of the repository, as the checks of this folder see them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
import subprocess

ROOT = Path(__file__).resolve().parents[2]

SOURCE_SUFFIXES = {".swift", ".c", ".h", ".py", ".sql", ".proto", ".yaml", ".modulemap"}
SOURCE_SUFFIXES |= {".service", ".socket", ".sysusers", ".tmpfiles", ".cc"}
SOURCE_NAMES = {"Makefile", ".editorconfig"}
# Inputs of the fuzzers: some happen to be text.
DATA_FOLDERS = ("Tests/Fuzz/corpus/", "Tests/Fuzz/failures/")
GENERATED_FOLDERS = ("Sources/COTLP/", "Sources/Postgres/Generated/")


@dataclass(frozen=True)
class File:
    """One text file: its path below the root, with forward slashes, and what is in it."""

    path: str
    text: str

    @property
    def name(self):
        return Path(self.path).name

    @property
    def suffix(self):
        return Path(self.path).suffix

    @property
    def lines(self):
        return self.text.splitlines()

    @property
    def is_swift(self):
        return self.suffix == ".swift"

    @property
    def is_source(self):
        """Written by hand or generated, in a language that has comments."""
        is_known = self.suffix in SOURCE_SUFFIXES or self.name in SOURCE_NAMES
        return is_known or self.text.startswith("#!")

    @property
    def is_generated(self):
        return self.path.startswith(GENERATED_FOLDERS)

    def is_below(self, *folders):
        return self.path.startswith(tuple(f"{folder}/" for folder in folders))


@cache
def files():
    """Every text file that git knows or would take, in order of path."""
    # A checkout may belong to somebody else than who tests it, as in CI.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    paths = sorted({name.decode() for name in listing.split(b"\0") if name})
    found = []
    for path in paths:
        absolute = ROOT / path
        if path.startswith(DATA_FOLDERS):
            continue
        if not absolute.is_file():
            continue  # deleted, and not yet committed
        try:
            found.append(File(path, absolute.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # not text
    return tuple(found)


def violations(check):
    """What `check` finds in the repository. It takes a File and yields (line number, sentence)."""
    return [
        f"{file.path}:{line}: {sentence}" for file in files() for line, sentence in check(file)
    ]


def report(found):
    """A message for an assertion: one violation per line."""
    return "\n" + "\n".join(found)
