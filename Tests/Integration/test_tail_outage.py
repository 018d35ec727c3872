# SPDX-License-Identifier: Apache-2.0
"""A tail outlives the database: what was stored around an outage comes once, and the tail says that there was one."""

import pytest

from conftest import Export
from support.tail import TailClient
from support.waiting import eventually
from test_tail import SETTINGS, names_of, request, send, start, unique

OWN_CLUSTER = True


def attempt(server, one):
    """Whether it is stored; a repetition of the same request stores nothing more."""
    with server.channel() as channel:
        return Export(channel).method(one).future(one, timeout=60).exception() is None


@pytest.mark.parametrize("form", ["application/x-ndjson", "text/event-stream"])
def test_a_tail_goes_on_after_an_outage(database, cluster, start_server, form):
    served = start(database, start_server, SETTINGS)
    names = unique(3)
    requests = [request("logs", [name]) for name in names]
    with TailClient(served.port, "logs", form=form) as tail:
        send(served.server, requests[0])
        tail.wait_count(1)
        cluster.stop()
        eventually(lambda: tail.states == ["unavailable"], "the tail to say that the database is gone")
        served.query.problem(503, "database-unavailable", "/api/logs/tail")
        cluster.start()
        for one in requests[1:]:
            eventually(lambda: attempt(served.server, one), "it to be stored")
        tail.wait_count(3)
        assert names_of(tail, "logs") == names and tail.lags == []
        assert tail.states == ["unavailable", "available"]
    assert served.server.daemon.stop() == 0
