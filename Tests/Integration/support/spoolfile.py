# SPDX-License-Identifier: Apache-2.0
"""Reads a spool's files as docs/spool.md describes them, apart from the daemon's own code."""

from dataclasses import dataclass
from pathlib import Path
import struct

SEGMENT_HEADER_BYTES = 32
RECORD_HEADER_BYTES = 56
SIGNALS = ("traces", "logs", "metrics")


@dataclass(frozen=True)
class Record:
    """A sound record, and where it is."""

    path: Path
    offset: int
    number: int
    signal: str
    item_count: int
    body: bytes

    @property
    def body_offset(self):
        return self.offset + RECORD_HEADER_BYTES

    @property
    def end(self):
        return self.body_offset + len(self.body)


def segments(folder):
    """Its segments, the oldest first."""
    return sorted(path for path in Path(folder).iterdir() if path.suffix == ".spool")


def first_number(path):
    """Of the records of a segment."""
    return int(path.stem)


def records(path):
    """The sound records of a segment, in order; nothing is looked for behind the first that is not."""
    content = path.read_bytes()
    offset, found = SEGMENT_HEADER_BYTES, []
    while record := record_at(path, content, offset):
        found.append(record)
        offset = record.end
    return found


def record_at(path, content, offset):
    header = content[offset:offset + RECORD_HEADER_BYTES]
    if len(header) < RECORD_HEADER_BYTES or header[:4] != b"SREC":
        return None
    checksum, = struct.unpack(">I", header[4:8])
    body_checksum, size, number, _, _, item_count, signal = struct.unpack(">IIQQ16sIB", header[8:53])
    body = content[offset + RECORD_HEADER_BYTES:][:size]
    if checksum != crc32c(header[8:]) or len(body) < size or body_checksum != crc32c(body):
        return None
    return Record(path, offset, number, SIGNALS[signal], item_count, body)


def cursor(folder):
    """The number of the first record that may not be settled; None without a sound cursor."""
    path = Path(folder) / "cursor"
    content = path.read_bytes() if path.exists() else b""
    if len(content) != 40 or content[:8] != b"STARCURS":
        return None
    checksum, = struct.unpack(">I", content[8:12])
    return struct.unpack(">Q", content[32:])[0] if checksum == crc32c(content[12:]) else None


def crc32c(content):
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def table_entry(value):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


TABLE = [table_entry(index) for index in range(256)]
