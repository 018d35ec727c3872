# SPDX-License-Identifier: Apache-2.0
"""Random requests round-trip through the daemon and the database.

The seed is fixed, and printed with a failure; STARLING_TEST_SEED tries another.
"""

import os
import random

import pytest

from support import rebuild, rebuild_metrics
from support.normal import assert_same
from support.otlp import SIGNALS
from support.random_otlp import Maker

SEED = int(os.environ.get("STARLING_TEST_SEED", "20261121"))
ROUND_COUNT = 5
REQUESTS_PER_ROUND = 30
REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}


@pytest.mark.parametrize("turn", range(ROUND_COUNT))
@pytest.mark.parametrize("signal", SIGNALS)
def test_round_trip(export, db, signal, turn):
    seed = f"{SEED}/{signal}/{turn}"
    print(f"seed {seed}")
    maker = Maker(random.Random(seed))
    requests = [maker.request(signal) for _ in range(REQUESTS_PER_ROUND)]
    calls = [export.method(request).future(request, timeout=60) for request in requests]
    for call in calls:
        assert call.result().SerializeToString() == b"", call.result()
    total = type(requests[0])()
    for request in requests:
        total.MergeFrom(request)
    assert_same(total, REBUILD[signal](db))
