# SPDX-License-Identifier: Apache-2.0
"""What a daemon has counted, read from its page of metrics."""

import re
from urllib.request import urlopen

RECEIVED = re.compile(r'^starling_items_received_total\{signal="(\w+)"\} (\d+)', re.MULTILINE)
SETTLED = re.compile(r'^starling_items_settled_total\{signal="(\w+)",outcome="(\w+)"\} (\d+)', re.MULTILINE)


def items(port):
    """Signal -> (items received, outcome -> items)."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
        return parse(response.read().decode())


def parse(page):
    counts = {signal: (int(count), {}) for signal, count in RECEIVED.findall(page)}
    for signal, outcome, count in SETTLED.findall(page):
        counts[signal][1][outcome] = int(count)
    assert counts and all(outcomes for _, outcomes in counts.values()), "no counters of items"
    return counts


def is_balanced(counts):
    """Whether nothing is in flight, and nothing is unaccounted for."""
    return all(received == sum(outcomes.values()) for received, outcomes in counts.values())
