# SPDX-License-Identifier: Apache-2.0
"""What a daemon has counted, read from its page of metrics."""

import re
from urllib.request import urlopen

RECEIVED = re.compile(r'^starling_items_(?:received|replayed)_total\{signal="(\w+)"\} (\d+)', re.MULTILINE)
SETTLED = re.compile(r'^starling_items_settled_total\{signal="(\w+)",outcome="(\w+)"\} (\d+)', re.MULTILINE)


def items(port):
    """Signal -> (items that came from clients or out of the spool, outcome -> items)."""
    return parse(page(port))


def page(port):
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
        return response.read().decode()


def one(port, name):
    """The sample of a metric without labels."""
    return float(re.search(rf"^{name} (\S+)$", page(port), re.MULTILINE)[1])


def parse(page):
    counts = {}
    for signal, count in RECEIVED.findall(page):
        counts[signal] = (counts.get(signal, (0,))[0] + int(count), {})
    for signal, outcome, count in SETTLED.findall(page):
        counts[signal][1][outcome] = int(count)
    assert counts and all(outcomes for _, outcomes in counts.values()), "no counters of items"
    return counts


def is_balanced(counts):
    """Whether nothing is in flight, and nothing is unaccounted for."""
    return all(received == sum(outcomes.values()) for received, outcomes in counts.values())
