# SPDX-License-Identifier: Apache-2.0
"""The check itself: each kind of violation is found, and nothing is found where nothing is wrong."""

import pytest

from stage import make_database
from support import balance, counters, journal
from support.numbering import POISON, request_bytes


@pytest.fixture(scope="module")
def connection(cluster, binary):
    name = make_database(cluster, binary, "balance")
    with cluster.connect(name) as connection:
        for table, column in (("otel_spans_fact", "start_time_unix_nano"), ("otel_logs_fact", "time_unix_nano"),
                              ("otel_metrics_data_points_number", "time_unix_nano")):
            connection.execute(f"CREATE TABLE {table}_all PARTITION OF {table} DEFAULT")
        yield connection
    cluster.drop_database(name)


@pytest.fixture
def compare(connection, tmp_path):
    """The violations between journal lines and stored numbers."""

    def run(lines, spans=(), logs=(), points=(), dead=(), damaged=balance.Damaged()):
        connection.execute("TRUNCATE otel_spans_fact, otel_logs_fact, otel_metrics_data_points_number, "
                           "otel_dead_letters")
        for index, number in enumerate(dead):
            connection.execute(
                "INSERT INTO otel_dead_letters (dead_letter_id, signal, tenant, reason, message, request_fingerprint, "
                "request_item_count, item_ordinal, received_at, size_bytes, request) VALUES "
                "(%s, 'traces', '', 'r', 'm', '0123456789abcdef', 1, 0, now(), 1, %s)",
                [index, request_bytes("traces", number, 1, 1)])
        for number in spans:
            connection.execute("INSERT INTO otel_spans_fact (start_time_unix_nano, end_time_unix_nano, span_id, "
                               "resource_id, trace_id) VALUES (1, 1, %s, 1, gen_random_uuid())", [number])
        for number in logs:
            connection.execute("INSERT INTO otel_logs_fact (time_unix_nano, log_id, resource_id, body_text) "
                               "VALUES (1, 1, 1, %s)", [str(number)])
        for number in points:
            connection.execute("INSERT INTO otel_metrics_data_points_number (time_unix_nano, series_id, value_int) "
                               "VALUES (1, 1, %s)", [number])
        path = tmp_path / "journal"
        path.write_text("".join(line + "\n" for line in lines))
        return balance.check(connection, path, damaged=damaged)

    return run


SENT = ["sent 1 3 traces", "acknowledged 1"]
PARTIAL = ["sent 1 3 traces 2", "partial 1 1"]


@pytest.mark.parametrize("lines, spans, dead, expected", [
    (PARTIAL, [1, 3], [POISON + 2], {}),
    (PARTIAL, [1, 3], [], {"refused and not kept": (1, [POISON + 2])}),
    (PARTIAL, [1, 3], [POISON + 2, POISON + 2], {"kept twice": (1, [POISON + 2])}),
    (PARTIAL, [1], [POISON + 2], {"lost": (1, [3]), "miscounted": (1, [1])}),
    (PARTIAL, [1, 3, POISON + 2], [POISON + 2], {"stored and kept": (1, [POISON + 2]), "miscounted": (1, [1])}),
    (["sent 1 3 traces 2", "acknowledged 1"], [1, 3], [POISON + 2], {"miscounted": (1, [1])}),
    (["sent 1 3 traces", "partial 1 1"], [1, 3], [2], {"lost": (1, [2]), "rejected without cause": (1, [1])}),
    (["sent 1 3 traces 2", "left 1"], [1, 3], [POISON + 2], {}),
    (["sent 1 3 traces 2", "left 1"], [], [], {}),
])
def test_violations_with_poison(compare, lines, spans, dead, expected):
    assert compare(lines, spans=spans, dead=dead).violations == expected


@pytest.mark.parametrize("lines, spans, expected", [
    (SENT, [1, 2, 3], {}),
    (SENT, [1, 3], {"lost": (1, [2])}),
    (SENT, [], {"lost": (3, [1, 2, 3])}),
    (SENT, [1, 2, 3, 3], {"doubled": (1, [3])}),
    (SENT, [1, 2, 3, 4], {"never sent": (1, [4])}),
    (["sent 1 2 logs", "left 1"], [1], {"never sent": (1, [1])}),  # of another signal
    (["sent 1 2 traces", "left 1"], [1, 2], {}),
    (["sent 1 2 traces", "left 1"], [], {}),
    (["sent 1 2 traces", "final 1 INVALID_ARGUMENT"], [], {}),
    (["sent 1 2 traces", "final 1 INVALID_ARGUMENT"], [2], {"refused but stored": (1, [2])}),
    (["sent 1 2 traces", "again 1 UNAVAILABLE"], [1, 2], {"unsettled": (2, [1, 2])}),
    (["sent 1 2 traces", "again 1 UNAVAILABLE", "acknowledged 1"], [1, 2], {}),
])
def test_violations(compare, lines, spans, expected):
    assert compare(lines, spans=spans).violations == expected


@pytest.mark.parametrize("spans, maybe_missing, gone, excused_count, expected", [
    ([1, 3], {2}, set(), 1, {}),
    ([1, 2, 3], {2}, set(), 0, {}),
    ([1], {2}, set(), 1, {"lost": (1, [3])}),
    ([1, 3], set(), {2}, 1, {}),
    ([1, 2, 3], {2}, {2}, 0, {"stored though damaged": (1, [2])}),
    ([1, 3, 3], {2, 3}, set(), 1, {"doubled": (1, [3])}),
])
def test_what_was_damaged(compare, spans, maybe_missing, gone, excused_count, expected):
    found = compare(SENT, spans=spans, damaged=balance.Damaged(maybe_missing, gone))
    assert (found.violations, found.damaged_count) == (expected, excused_count)


def test_all_signals(compare):
    lines = ["sent 1 2 traces", "sent 3 2 logs", "sent 5 2 metrics", *(f"acknowledged {first}" for first in (1, 3, 5))]
    found = compare(lines, spans=[1, 2], logs=[3, 4], points=[5, 6])
    assert (found.violations, found.sent_count, found.acknowledged_count, found.stored_count) == ({}, 6, 6, 6)
    assert compare(lines, spans=[1, 2], logs=[3], points=[6]).violations == {"lost": (2, [4, 5])}


@pytest.mark.parametrize("lines", [
    ["acknowledged 1"], ["sent 1 2 traces", "sent 1 2 traces"], ["sent 1 2 traces", "acknowledged 1", "left 1"],
    ["sent 1 2 traces", "lost 1"], ["sent 1"], ["sent a 1 traces"], [""],
])
def test_a_journal_that_no_sender_writes(tmp_path, lines):
    path = tmp_path / "journal"
    path.write_text("".join(line + "\n" for line in lines))
    with pytest.raises(journal.JournalError):
        journal.read(path)


def test_a_journal_is_read_as_it_was_written(tmp_path):
    writer = journal.Journal(tmp_path / "journal")
    writer.note("sent", 1, 3, "logs", 2)
    writer.note("again", 1, "UNAVAILABLE")
    writer.note("partial", 1, 1)
    writer.close()
    assert journal.read(writer.path) == {1: journal.Entry(
        1, 3, "logs", (2,), outcome="partial", rejected_count=1, attempt_codes=["UNAVAILABLE"])}


@pytest.mark.parametrize("received, replayed, committed, expected", [
    (7, 0, 4, True), (8, 0, 4, False), (7, 0, 5, False), (2, 5, 4, True), (2, 5, 5, False), (7, 1, 4, False)])
def test_counters_that_balance(received, replayed, committed, expected):
    page = (f'starling_items_received_total{{signal="logs"}} {received}\n'
            f'starling_items_replayed_total{{signal="logs"}} {replayed}\n'
            f'starling_items_settled_total{{signal="logs",outcome="committed"}} {committed}\n'
            'starling_items_settled_total{signal="logs",outcome="refused"} 3\n')
    counts = counters.parse(page)
    assert counts == {"logs": (received + replayed, {"committed": committed, "refused": 3})}
    assert counters.is_balanced(counts) == expected


def test_a_page_without_counters():
    with pytest.raises(AssertionError):
        counters.parse("starling_items_received_total 1\n")
