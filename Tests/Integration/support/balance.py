# SPDX-License-Identifier: Apache-2.0
"""Compares a sender's journal with the database, by SQL: what is lost, doubled, invented, or miscounted."""

from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from support import journal, numbering

EXAMPLES_MAX = 5

# What is in the table `sent`: one row per item. An item is promised when its request was acknowledged, or
# partially accepted without it being poison: then it is among those that the daemon says are stored.
CHECKS = {
    "lost": """
        SELECT number FROM sent WHERE outcome IN ('acknowledged', 'partial') AND NOT is_poison
            AND NOT EXISTS (SELECT FROM stored WHERE stored.number = sent.number)
            AND NOT EXISTS (SELECT FROM damaged WHERE damaged.number = sent.number)""",
    "doubled": "SELECT number FROM stored GROUP BY number HAVING count(*) > 1",
    "never sent": """
        SELECT number FROM stored WHERE NOT EXISTS (
            SELECT FROM sent WHERE sent.number = stored.number AND sent.signal = stored.signal)""",
    "refused but stored": """
        SELECT number FROM sent JOIN stored USING (number) WHERE outcome = 'final'""",
    "unsettled": "SELECT number FROM sent WHERE outcome IS NULL",
    "stored though damaged": "SELECT number FROM damaged JOIN stored USING (number) WHERE is_gone",
}
# What was acknowledged and only damage can excuse that it is missing.
EXCUSED = """
    SELECT count(*) FROM damaged JOIN sent USING (number) WHERE outcome = 'acknowledged'
        AND NOT EXISTS (SELECT FROM stored WHERE stored.number = damaged.number)"""
# Requests with something to refuse whose answer does not say how many of their items are missing.
MISCOUNTED = """
    SELECT first FROM sent LEFT JOIN (SELECT DISTINCT number FROM stored) AS found USING (number)
    WHERE outcome IN ('acknowledged', 'partial')
    GROUP BY first
    HAVING (bool_or(is_poison) OR max(rejected_count) > 0) AND count(*) - count(found.number) <> max(rejected_count)"""


# Requests of which more was rejected than there was to refuse.
WITHOUT_CAUSE = """
    SELECT first FROM sent GROUP BY first HAVING max(rejected_count) > count(*) FILTER (WHERE is_poison)"""
# What was refused is among the dead letters, once.
DEAD_LETTER_CHECKS = {
    "refused and not kept": """
        SELECT number FROM sent WHERE outcome IN ('acknowledged', 'partial') AND is_poison
            AND NOT EXISTS (SELECT FROM dead WHERE dead.number = sent.number AND dead.signal = sent.signal)""",
    "kept twice": "SELECT number FROM dead GROUP BY number HAVING count(*) > 1",
    "stored and kept": "SELECT number FROM dead JOIN stored USING (number)",
}
LEDGER_PARTS = ("committed", "dead_lettered", "deduplicated", "refused")


@dataclass
class Damaged:
    """Numbers of items on a disk that was damaged: those that may be missing, and those that have to be.

    What has to be missing was in a damaged record and nowhere else, and nobody will send it again.
    """

    maybe_missing: set = field(default_factory=set)
    gone: set = field(default_factory=set)


@dataclass
class Balance:
    """The outcome of a comparison: counts, and per kind of violation how many and which, for example."""

    sent_count: int = 0
    acknowledged_count: int = 0
    rejected_count: int = 0
    stored_count: int = 0
    again_count: int = 0
    left_count: int = 0
    damaged_count: int = 0
    violations: dict = field(default_factory=dict)

    def count(self, kind):
        return self.violations.get(kind, (0, []))[0]

    @property
    def lost_count(self):
        return self.count("lost") + self.count("miscounted")

    @property
    def doubled_count(self):
        return self.count("doubled")

    def note(self, kind, numbers):
        if numbers:
            self.violations[kind] = (len(numbers), sorted(numbers)[:EXAMPLES_MAX])

    def __str__(self):
        found = "; ".join(f"{count} {kind}, among them {examples}"
                          for kind, (count, examples) in self.violations.items())
        return (f"{self.sent_count} sent, {self.acknowledged_count} acknowledged, {self.rejected_count} rejected, "
                f"{self.left_count} left, {self.damaged_count} damaged, {self.stored_count} stored: "
                f"{found or 'no violation'}")


def check(connection, journal_path, more_tables=(), damaged=Damaged()):
    """The Balance between a journal and what is in the database, and in `more_tables` (signal, table)."""
    entries = journal.read(journal_path)
    load(connection, entries, more_tables)
    load_damaged(connection, damaged)
    balance = Balance(
        sent_count=sum(entry.count for entry in entries.values()),
        acknowledged_count=sum(entry.count - entry.rejected_count for entry in entries.values()
                               if entry.outcome in ("acknowledged", "partial")),
        rejected_count=sum(entry.rejected_count for entry in entries.values()),
        left_count=sum(entry.count for entry in entries.values() if entry.outcome == "left"),
        again_count=sum(len(entry.attempt_codes) for entry in entries.values()))
    (balance.stored_count,) = connection.execute("SELECT count(*) FROM stored").fetchone()
    (balance.damaged_count,) = connection.execute(EXCUSED).fetchone()
    for kind, query in CHECKS.items():
        balance.note(kind, [number for number, in connection.execute(query)])
    balance.note("miscounted", [first for first, in connection.execute(MISCOUNTED)])
    balance.note("rejected without cause", [first for first, in connection.execute(WITHOUT_CAUSE)])
    check_dead_letters(connection, balance)
    check_loss_ledger(connection, balance)
    connection.execute("DROP TABLE sent, stored, damaged")
    return balance


def columns(connection, table):
    """The names of its columns; none where there is no such table."""
    return {name for name, in connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])}


def check_dead_letters(connection, balance):
    connection.execute("CREATE TEMPORARY TABLE dead (signal text, number bigint)")
    letters = connection.execute("SELECT dead_letter_id, signal, request FROM otel_dead_letters").fetchall()
    unreadable = []
    with connection.cursor().copy("COPY dead FROM STDIN") as copy:
        for identity, signal, request in letters:
            try:
                numbers = numbering.numbers_in(signal, request)
            except DecodeError:
                # Nobody has sent that.
                unreadable.append(identity)
                continue
            for number in numbers:
                copy.write_row((signal, number))
    balance.note("unreadable dead letters", unreadable)
    for kind, query in DEAD_LETTER_CHECKS.items():
        balance.note(kind, [number for number, in connection.execute(query)])
    connection.execute("DROP TABLE dead")


def check_loss_ledger(connection, balance):
    """Whatever came in is accounted for, minute by minute."""
    if not {"received", *LEDGER_PARTS} <= columns(connection, "otel_loss_ledger"):
        return
    differences = connection.execute(
        f"SELECT received - ({' + '.join(LEDGER_PARTS)}) FROM otel_loss_ledger").fetchall()
    balance.note("not accounted for", [difference for difference, in differences if difference])


def load_damaged(connection, damaged):
    connection.execute("CREATE TEMPORARY TABLE damaged (number bigint, is_gone bool)")
    with connection.cursor().copy("COPY damaged FROM STDIN") as copy:
        for number in damaged.maybe_missing | damaged.gone:
            copy.write_row((number, number in damaged.gone))
    connection.execute("CREATE INDEX ON damaged (number)")


def load(connection, entries, more_tables):
    """Makes the temporary tables that the checks look at, where there is room for them."""
    connection.execute("SET temp_tablespaces = pg_default")
    connection.execute("""
        CREATE TEMPORARY TABLE sent (first bigint, number bigint, signal text, outcome text, rejected_count bigint,
            is_poison boolean)""")
    with connection.cursor().copy("COPY sent FROM STDIN") as copy:
        for entry in entries.values():
            for number in range(entry.first, entry.first + entry.count):
                is_poison = number in entry.poison
                copy.write_row((entry.first, number + numbering.POISON * is_poison, entry.signal, entry.outcome,
                                entry.rejected_count, is_poison))
    connection.execute(f"CREATE TEMPORARY TABLE stored AS {numbering.stored_query(more_tables)}")
    connection.execute("CREATE INDEX ON sent (number); CREATE INDEX ON stored (number); ANALYZE sent; ANALYZE stored")
