# SPDX-License-Identifier: Apache-2.0
"""What bench.py measures: each case is one run of `starling send`, or of raw COPY, per round."""

from dataclasses import dataclass, field
import itertools

# What is counted -> its signal, its fact table, and what else `starling send` has to know.
KINDS = {
    "spans": ("traces", "otel_spans_fact", []),
    "logs": ("logs", "otel_logs_fact", []),
    "number points": ("metrics", "otel_metrics_data_points_number", ["--points", "number"]),
    "histogram points": ("metrics", "otel_metrics_data_points_histogram", ["--points", "histogram"]),
}
CONNECTIONS, BATCH, WRITERS = 4, 512, 2
# A request of a gateway, where resources are to be many.
RESOURCES_PER_REQUEST = 64
# Where a request has one item the cost is that of requests, of which fewer will do.
SINGLE_SHARE = {1: 0.01, 4: 0.03, 64: 0.08}
# Six of eight thousand items are a round of nothing.
LARGE_SHARE = {1: 1.0, 4: 1.0, 64: 6.0}


@dataclass(frozen=True)
class Case:
    """Parameters of `starling send`; `daemon` is a name out of bench_world.py."""

    group: str
    name: str
    kind: str = "spans"
    connections: int = CONNECTIONS
    batch: int = BATCH
    compression: str = "none"
    # Of the items per case that were asked for.
    share: float = 1.0
    daemon: str = "main"
    # Items per second and for how long; 0 sends as fast as answers come.
    rate: int = 0
    arguments: tuple = field(default=())
    # Whether the daemon is asked all the time what it holds, which costs it more than what a span does.
    is_asked: bool = False

    def item_count(self, options):
        if self.rate:
            return int(self.rate * options.open_seconds / options.rounds)
        return max(self.batch, int(options.count * self.share))

    def send_arguments(self, options):
        signal, _, extra = KINDS[self.kind]
        arguments = [signal, "--count", self.item_count(options), "--batch", self.batch, "--connections",
                     self.connections, "--compression", self.compression, *extra, *self.arguments]
        if self.rate:
            # As many in flight as there may be: what is slow must not hold back what is due.
            arguments += ["--rate", self.rate, "--in-flight", 100]
        return [str(argument) for argument in arguments]


@dataclass(frozen=True)
class Ceiling:
    """Raw COPY BINARY of rows that the daemon stored, by so many connections at a time."""

    name: str
    kind: str
    connections: int
    group: str = "ceiling"


def end_to_end(kind, connections, batch, compression):
    parts = [f"{connections} conn", f"{batch} per request"] + ([compression] if compression != "none" else [])
    share = {1: SINGLE_SHARE, 8192: LARGE_SHARE}.get(batch, {}).get(connections, 1.0)
    return Case("end to end", ", ".join([kind, *parts]), kind, connections, batch, compression, share)


BASE = {kind: end_to_end(kind, CONNECTIONS, BATCH, "none").name for kind in KINDS}
CORE = [
    *(end_to_end(kind, CONNECTIONS, BATCH, "none") for kind in KINDS),
    end_to_end("spans", 1, 512, "none"), end_to_end("spans", 64, 512, "none"),
    end_to_end("spans", 4, 512, "gzip"), end_to_end("spans", 4, 8192, "none"),
    end_to_end("spans", 4, 1, "none"), end_to_end("spans", 64, 1, "none"),
]
EVERY = [end_to_end(*parameters)
         for parameters in itertools.product(KINDS, (1, 4, 64), (512, 8192, 1), ("none", "gzip"))]


def ceiling_name(kind, connections):
    return f"raw COPY, {kind}, {connections} conn"


CEILINGS = [Ceiling(ceiling_name(kind, connections), kind, connections)
            for kind in KINDS for connections in ((1, 2, 4) if kind == "spans" else (2,))]

MEMORY = [Case("memory", f"memory, spans, 4 conn, {batch} per request", batch=batch, is_asked=True)
          for batch in (512, 8192)]

OPEN_LOOP = [Case("open loop", f"spans, 1 conn, {rate:,} spans/s", connections=1, rate=rate)
             for rate in (10_000, 50_000)]

SCALING = [
    *(Case("writers", f"{count} writers", daemon=f"writers-{count}") for count in (1, 2, 4)),
    *(Case("resources", f"{count:,} resources, {RESOURCES_PER_REQUEST} per request", arguments=(
        "--resources", count, "--resources-per-request", RESOURCES_PER_REQUEST)) for count in (1, 100, 10_000)),
    *(Case("operations", f"{count:,} operations", arguments=("--resources", 1, "--operations", count))
      for count in (1, 1_000, 100_000)),
    *(Case("partitions", f"{count} partitions per table", daemon=f"partitions-{count}") for count in (1, 30, 365)),
]

# Ratio -> the case and the ceiling that it is of, in one round.
RATIOS = {
    **{f"{kind} / raw COPY": (BASE[kind], ceiling_name(kind, WRITERS)) for kind in KINDS},
    **{f"{count} writers / raw COPY": (f"{count} writers", ceiling_name("spans", count)) for count in (1, 2, 4)},
}


def cases(options):
    """In the order in which each round runs them."""
    return [*(EVERY if options.all else CORE), *CEILINGS, *MEMORY, *OPEN_LOOP, *SCALING]
