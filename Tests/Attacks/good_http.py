# SPDX-License-Identifier: Apache-2.0
"""Good clients of OTLP/HTTP as a process of their own: requests at a steady rate, their latency from the time at which
they were meant to be sent.

    good_http.py PORT REQUESTS_PER_SECOND SPANS_PER_REQUEST SECONDS SEED
"""

import json
import sys
import threading
import time

from support import otlp
from support.otlphttp import Connection

CONNECTION_COUNT = 2
RETRIABLE = (429, 502, 503, 504)


def body_of(number, span_count):
    """A request unlike all others, so that none is taken for a retry."""
    request = otlp.request("traces", [otlp.span(trace_id=number.to_bytes(16)) for _ in range(span_count)])
    return request.SerializeToString()


def send(port, schedule, span_count, latencies):
    """Sends at the times of `schedule` (number, time), and appends the seconds that each took."""
    with Connection(port) as connection:
        for number, due in schedule:
            body = body_of(number, span_count)
            time.sleep(max(0, due - time.monotonic()))
            while (answer := connection.post("traces", body)).status in RETRIABLE:
                time.sleep(float(answer.headers.get("retry-after", 1)))
            assert answer.status == 200, answer
            latencies.append(time.monotonic() - due)


def run(port, rate, span_count, seconds, seed):
    begin, latencies = time.monotonic() + 0.1, []
    schedule = [(seed << 32 | number, begin + number / rate) for number in range(rate * seconds)]
    threads = [threading.Thread(target=send, args=(port, schedule[first::CONNECTION_COUNT], span_count, latencies))
               for first in range(CONNECTION_COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(latencies) == len(schedule), "good clients lost something"
    latencies.sort()
    return {"ack_p50_ns": latencies[len(latencies) // 2] * 1e9, "ack_p99_ns": latencies[len(latencies) * 99 // 100] * 1e9}


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:]))))
