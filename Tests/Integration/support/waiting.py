# SPDX-License-Identifier: Apache-2.0
"""The one way in which these tests wait: for a condition, with a deadline that only a defect reaches."""

import time

PATIENCE_SECONDS = 30.0


def eventually(condition, what, seconds=PATIENCE_SECONDS):
    """The first true value of `condition()`; fails with `what` when none came within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.005)
