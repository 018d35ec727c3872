# SPDX-License-Identifier: Apache-2.0
"""Faults of clients, and what they send: they hang up, they are too many, their data cannot be stored."""

from support import numbering
from support.exporter import Code, Habits
from support.pgproxy import CUT
from stage import Scenario

GIVEN_UP = {Code.CANCELLED, Code.DEADLINE_EXCEEDED}
MIB = 1 << 20
BUDGET_BYTES = 8 * MIB
# What a daemon may take beside its budget.
OVERHEAD_BYTES = 64 * MIB


def fickle(stage):
    """They give up attempts of which the rows are on their way, and send them again."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(100, 300))
        with stage.locked_facts():
            stage.wait_for_waiting_writer()
            stage.load.more_attempts(GIVEN_UP, stage.rng.randint(10, 30))
    stage.load.more(200)
    stage.fault("attempts given up", stage.load.attempt_count(GIVEN_UP))


def poison(stage):
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(200, 400))
    stage.fault("items that PostgreSQL refuses", stage.load.tally.rejected_count)


def poison_answer_lost(stage):
    """What was refused is known only to the transaction, and its answer is lost."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(50, 150))
        stage.at_one_commit("after", lambda moment, link: CUT)
        stage.fault("cut after COMMIT")
    stage.load.more(100)


def overload(stage):
    """More requests at a time than the daemon may hold, for a database that is slow."""
    for _ in stage.rounds():
        stage.load.more(stage.rng.randint(300, 600))
    told_count = stage.load.tally.retry_info_count
    assert told_count > 0 or stage.test_break, "nobody was told to come back later"
    stage.fault("requests told to come back", told_count)


def memory_is_bounded(stage):
    assert stage.resident_peak_bytes <= BUDGET_BYTES + OVERHEAD_BYTES, f"{stage.resident_peak_bytes / MIB:.0f} MiB"


def slow_facts(stage):
    """Every COPY into a fact table takes 20 ms more."""
    with stage.connect() as connection:
        connection.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
                           "'BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END'")
        for table in numbering.TABLES.values():
            connection.execute(f"CREATE TRIGGER slow AFTER INSERT ON {table} EXECUTE FUNCTION slow()")


def refuse_poison(stage):
    with stage.connect() as connection:
        numbering.refuse_poison(connection)


SCENARIOS = [
    Scenario(
        name="clients-fickle", play=fickle, rounds=2,
        habits=Habits(cancel_share=0.25, hurry_share=0.25, reconnect_share=0.3, timeout_seconds=0.7),
        what="clients that cancel, give deadlines of milliseconds, and reconnect",
        breaks={"no-ledger": "doubled"}),
    Scenario(
        name="poison", play=poison, rounds=3, habits=Habits(poison_share=0.3), prepare=refuse_poison,
        what="rows at random places that a constraint of the database refuses",
        breaks={"drop-refused-row": "miscounted"}),
    Scenario(
        name="poison-answer-lost", play=poison_answer_lost, rounds=6, has_proxy=True, prepare=refuse_poison,
        habits=Habits(poison_share=0.9),
        what="refused rows in a transaction of which the answer to COMMIT is lost",
        breaks={"no-ledger": "doubled", "drop-refused-row": "miscounted"}),
    Scenario(
        name="overload", play=overload, rounds=3, prepare=slow_facts, check=memory_is_bounded,
        habits=Habits(client_count=100, items_max=10, padding="x" * 2_000, rate=20_000.0, timeout_seconds=30.0),
        settings={"memory.budget_bytes": f"{BUDGET_BYTES}B", "limits.request_bytes_max": "1MiB",
                  "limits.unpacked_bytes_max": "2MiB", "batch.bytes_max": "256KiB", "batch.rows_max": "20",
                  "ring.exports_max": "16", "database.writers": "1"},
        what="about twice as many requests as there is room for, and a database that is slow",
        breaks={"ack-when-full": "lost"}),
]
