# SPDX-License-Identifier: Apache-2.0
"""The sender's journal: what was sent, and what became of it, one line per event, on disk at once.

    sent FIRST COUNT SIGNAL [POISON...]    a request with the items FIRST to FIRST + COUNT - 1
    again FIRST CODE                       an attempt that ended so; the same bytes are sent again
    acknowledged FIRST                     all of it is stored, says the daemon
    partial FIRST REJECTED                 all but so many items are stored, says the daemon
    final FIRST CODE                       refused for good
    left FIRST                             given up by the client: stored or not, nobody was told

A line is written before what it announces (sent) and after what it reports (all others), so the journal
is true whenever the sender ends.
"""

from dataclasses import dataclass, field
import os

ENDS = ("acknowledged", "partial", "final", "left")


@dataclass
class Entry:
    """One request as the journal has it. `outcome` is one of ENDS, or None while nothing is known."""

    first: int
    count: int
    signal: str
    poison: tuple = ()
    outcome: str = None
    rejected_count: int = 0
    code: str = ""
    attempt_codes: list = field(default_factory=list)


class Journal:
    """Thread-safe: every line is one write to a file opened for appending."""

    def __init__(self, path):
        self.path = path
        self.descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def note(self, event, first, *details):
        line = " ".join(map(str, (event, first, *details))) + "\n"
        assert os.write(self.descriptor, line.encode()) == len(line)

    def close(self):
        os.close(self.descriptor)


class JournalError(Exception):
    """A journal that no sender writes."""


def read(path):
    """First number -> Entry, in order of sending."""
    entries = {}
    with open(path, encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            try:
                take(entries, line.split())
            except (KeyError, ValueError, IndexError) as error:
                raise JournalError(f"{path}:{number}: {line.strip()!r}: {error}") from error
    return entries


def take(entries, words):
    event, first, details = words[0], int(words[1]), words[2:]
    if event == "sent":
        if first in entries:
            raise ValueError("sent twice as new")
        entries[first] = Entry(first, int(details[0]), details[1], tuple(map(int, details[2:])))
        return
    entry = entries[first]
    if event == "again":
        entry.attempt_codes.append(details[0])
    elif event in ENDS:
        if entry.outcome is not None:
            raise ValueError(f"ended before, as {entry.outcome}")
        entry.outcome = event
        entry.rejected_count = int(details[0]) if event == "partial" else 0
        entry.code = details[0] if event == "final" else ""
    else:
        raise ValueError("no such event")
