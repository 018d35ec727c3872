# SPDX-License-Identifier: Apache-2.0
"""Damage to a spool's files while no daemon has them, and what follows from it by docs/spool.md."""

from support import journal, numbering, spoolfile

BLOCK_BYTES = 4096


class Damage:
    """One kind of damage, done by `rng`; then what may be missing, and what the daemon has to say of it.

    `early_cursor` is what the cursor was at some time before.
    """

    def __init__(self, folder, rng, kind, early_cursor):
        self.folder = folder
        self.rng = rng
        self.kind = kind
        self.early_cursor = early_cursor
        self.paths = spoolfile.segments(folder)
        self.before = [record for path in self.paths for record in spoolfile.records(path)]
        contents = {path: path.read_bytes() for path in self.paths}
        KINDS[kind](self)
        self.intact = [record for record in self.before if is_untouched(record, contents[record.path])]

    # --- what follows

    def items(self, records):
        return {number for record in records for number in numbering.numbers_in(record.signal, record.body)}

    def hit(self):
        intact_numbers = {record.number for record in self.intact}
        return [record for record in self.before if record.number not in intact_numbers]

    def note(self, damaged, stored, journal_path):
        """Adds the items that were hit to `damaged`: they may be missing, and have to where nothing has them.

        `stored` tells which of some numbers are in the database.
        """
        hit_items = self.items(self.hit())
        acknowledged = {number for entry in journal.read(journal_path).values() if entry.outcome == "acknowledged"
                        for number in range(entry.first, entry.first + entry.count)}
        damaged.maybe_missing |= hit_items
        damaged.gone |= (hit_items & acknowledged) - self.items(self.intact) - stored(hit_items)

    def reported_count(self):
        """Records that the daemon has to report: those between its cursor and the last sound one.

        What is missing at the end it cannot know of: that looks like a record that never got whole.
        """
        left = spoolfile.segments(self.folder)
        if not left:
            return 0
        start = spoolfile.cursor(self.folder) or spoolfile.first_number(left[0])
        in_newest = [record.number for record in self.intact if record.path == left[-1]]
        end = max(in_newest) + 1 if in_newest else spoolfile.first_number(left[-1])
        return sum(start <= record.number < end for record in self.hit())

    def cut_off_bytes(self):
        """Behind the last sound record of the newest segment."""
        left = spoolfile.segments(self.folder)
        ends = [record.end for record in self.intact if left and record.path == left[-1]]
        return left[-1].stat().st_size - max(ends) if ends else 0


def is_untouched(record, content_before):
    if not record.path.exists():
        return False
    content = record.path.read_bytes()
    return content[record.offset:record.end] == content_before[record.offset:record.end]


# --- the kinds

def overwrite(path, offset, content):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def flip_bit(damage, path, offset):
    byte = path.read_bytes()[offset]
    overwrite(path, offset, bytes([byte ^ 1 << damage.rng.randrange(8)]))


def flip_in_bodies(damage):
    chosen = damage.rng.sample(damage.before, min(len(damage.before), damage.rng.randint(2, 8)))
    for record in chosen:
        flip_bit(damage, record.path, damage.rng.randrange(record.body_offset, record.end))


def flip_in_headers(damage):
    chosen = damage.rng.sample(damage.before, min(len(damage.before), damage.rng.randint(1, 4)))
    for record in chosen:
        flip_bit(damage, record.path, damage.rng.randrange(record.offset, record.body_offset))


def flip_in_segment_header(damage):
    flip_bit(damage, damage.rng.choice(damage.paths), damage.rng.randrange(spoolfile.SEGMENT_HEADER_BYTES))


def clear_block(damage):
    """A block that the disk lost."""
    record = damage.rng.choice(damage.before)
    start = record.offset // BLOCK_BYTES * BLOCK_BYTES
    overwrite(record.path, start, bytes(min(BLOCK_BYTES, record.path.stat().st_size - start)))


def cut_newest(damage):
    cut(damage, damage.paths[-1])


def cut_any(damage):
    cut(damage, damage.rng.choice(damage.paths))


def cut(damage, path):
    with open(path, "r+b") as file:
        file.truncate(damage.rng.randrange(path.stat().st_size))


def remove_one(damage):
    damage.rng.choice(damage.paths).unlink()


def remove_all(damage):
    """Records that are stored are then still to come, by the cursor: their numbers are given out once more."""
    for path in damage.paths:
        path.unlink()
    (damage.folder / "cursor").write_bytes(damage.early_cursor)


def damage_cursor(damage):
    path = damage.folder / "cursor"
    if damage.rng.random() < 0.5:
        path.unlink()
    else:
        flip_bit(damage, path, damage.rng.randrange(path.stat().st_size))


KINDS = {
    "bits flipped in bodies": flip_in_bodies, "bits flipped in headers of records": flip_in_headers,
    "bit flipped in the header of a segment": flip_in_segment_header, "block cleared": clear_block,
    "newest segment cut": cut_newest, "segment cut": cut_any, "segment removed": remove_one,
    "segments removed, cursor put back": remove_all, "cursor damaged": damage_cursor,
}
