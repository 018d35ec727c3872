# SPDX-License-Identifier: Apache-2.0
"""Random traces across services, and the edges of their service map, computed from what was sent alone."""

from collections import defaultdict
from dataclasses import dataclass, field
import math
import struct

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from support import otlp

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
SECOND_NS = 10**9
EDGE_TABLES = ("otel_service_edges_dim", "otel_service_minute_edges", "otel_service_edge_minutes",
               "otel_service_hour_edges", "otel_service_edge_hours")
# What migration 15 made, as it is taken out.
UNDO_EDGE_HOURS = ("DROP VIEW grafana.service_edges; DROP FUNCTION otel_edge_key; DROP TABLE otel_service_edges_dim, "
                   "otel_service_minute_edges, otel_service_hour_edges, otel_service_edge_hours;")
EDGE_COLUMNS = ("tenant", "kind", "client_namespace", "client_service", "server_namespace", "server_service")
# What a client span says of its peer, and what the map makes of it.
PEERS = [
    ({"db.system.name": "postgresql", "db.namespace": "orders", "server.address": "10.0.0.1"},
     ("database", "postgresql/orders")),
    ({"db.system": "redis"}, ("database", "redis")),
    ({"db.system": "mysql", "db.name": "old", "peer.service": "ledger-db"}, ("database", "ledger-db")),
    ({"messaging.system": "kafka", "server.address": "broker"}, ("broker", "kafka")),
    ({"service.peer.name": "payments", "server.address": "pay.example"}, ("external", "payments")),
    ({"server.address": "api.example"}, ("external", "api.example")),
    ({"net.peer.name": "legacy.example", "server.address": ""}, ("external", "legacy.example")),
    ({"network.peer.address": "192.0.2.7"}, ("external", "192.0.2.7")),
    ({"db.system": 7, "http.request.method": "GET"}, None),
    ({}, None)]


@dataclass(frozen=True)
class Place:
    """A process: one resource."""
    tenant: str
    namespace: str
    service: str
    instance: int

    def resource(self):
        said = {"service.name": self.service, "service.namespace": self.namespace, "tenant.id": self.tenant}
        attributes = [otlp.attribute(key, value) for key, value in said.items() if value]
        return Resource(attributes=attributes + [otlp.attribute("service.instance.id", self.instance)])


@dataclass
class Row:
    """A span as it is sent."""
    place: Place
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    kind: int
    start_ns: int
    end_ns: int
    is_error: bool = False
    peer: int = len(PEERS) - 1
    links: list = field(default_factory=list)

    def message(self):
        span = Span(trace_id=self.trace_id, span_id=self.span_id, parent_span_id=self.parent_id, kind=self.kind,
                    name=f"operation {self.kind}", start_time_unix_nano=self.start_ns,
                    end_time_unix_nano=self.end_ns,
                    attributes=[otlp.attribute(*item) for item in PEERS[self.peer][0].items()])
        if self.is_error:
            span.status.code = Status.STATUS_CODE_ERROR
        for trace_id, span_id in self.links:
            span.links.add(trace_id=trace_id, span_id=span_id)
        return span


class Traces:
    """Makes spans that begin around a time; each call continues the numbering."""

    def __init__(self, random, begin_ns, length_ns):
        self.random = random
        self.begin_ns = begin_ns
        self.length_ns = length_ns
        self.places = [Place(tenant, namespace, service, instance) for tenant in ("", "red")
                       for namespace, service in (("", "web"), ("shop", "cart"), ("bank", "cart"), ("", ""))
                       for instance in (1, 2)]

    def make(self, trace_count):
        """Spans as rows: some have no parent among them, some are there twice."""
        rows = [row for _ in range(trace_count) for row in self._trace()]
        random = self.random
        for row in rows:
            if row.kind == CONSUMER and random.random() < 0.6:
                earlier = [other for other in rows if other.start_ns <= row.start_ns + SECOND_NS]
                row.links = [(other.trace_id, other.span_id)
                             for other in random.choices(earlier, k=random.randint(1, 3))]
                row.links += random.choices([row.links[0], (row.trace_id, row.parent_id or row.span_id),
                                             (otlp.trace_id(otlp.unique()), row.span_id), (b"short", b"x")], k=2)
        kept = [row for row in rows if random.random() < 0.95]
        return kept + [row for row in kept if random.random() < 0.02]

    def _trace(self):
        random = self.random
        trace_id = struct.pack(">QQ", random.getrandbits(64), otlp.unique())
        start_ns = self.begin_ns + random.randrange(self.length_ns)
        rows = []
        for _ in range(random.randint(1, 12)):
            parent = random.choice(rows) if rows else None
            if parent is None:
                place, own_start_ns = random.choice(self.places), start_ns
            else:
                place = random.choice(self.places) if random.random() < 0.5 else parent.place
                own_start_ns = random.randint(parent.start_ns - 2 * SECOND_NS, parent.end_ns + 2 * SECOND_NS)
            duration_ns = int(10 ** random.uniform(2, 10.5)) if random.random() < 0.95 else -5
            rows.append(Row(
                place, trace_id, otlp.span_id(otlp.unique()), parent.span_id if parent else b"",
                random.choice([INTERNAL, SERVER, CLIENT, CLIENT, PRODUCER, CONSUMER]), own_start_ns,
                max(own_start_ns + duration_ns, own_start_ns - 5), random.random() < 0.2,
                random.randrange(len(PEERS))))
        return rows


def requests(rows):
    """One request for each process."""
    by_place = defaultdict(list)
    for row in rows:
        by_place[row.place].append(row.message())
    return [otlp.request("traces", spans, resource=place.resource()) for place, spans in by_place.items()]


def edges(rows):
    """{(minute in Unix seconds, *EDGE_COLUMNS): [(duration, is_error), ...]}"""
    known = {(row.trace_id, row.span_id): row for row in rows}
    goes_on = {(row.trace_id, row.parent_id) for row in rows
               if (parent := known.get((row.trace_id, row.parent_id))) is not None
               and (row.kind >= SERVER or row.place != parent.place)}
    found = defaultdict(list)

    def count(row, kind, client, server_namespace, server):
        minute = row.start_ns // otlp.MINUTE_NS * 60
        key = (minute, client.tenant, kind, client.namespace, client.service, server_namespace, server)
        found[key].append((max(row.end_ns - row.start_ns, 0), row.is_error))

    def cross(row, origin, kind):
        client, server = origin.place, row.place
        if client.tenant == server.tenant and (client.namespace, client.service) != (server.namespace, server.service):
            count(row, kind, client, server.namespace, server.service)

    followed = set()
    for row in rows:
        parent = known.get((row.trace_id, row.parent_id))
        if parent is not None:
            cross(row, parent, "message" if row.kind == CONSUMER or parent.kind == PRODUCER else "call")
        if row.kind == CONSUMER:
            for link in set(row.links) - {(row.trace_id, row.parent_id)}:
                # The copy of a span is the same consumer of the same message.
                if link in known and (row.trace_id, row.span_id, link) not in followed:
                    followed.add((row.trace_id, row.span_id, link))
                    cross(row, known[link], "message")
        named = PEERS[row.peer][1]
        if row.kind in (CLIENT, PRODUCER) and named and (row.trace_id, row.span_id) not in goes_on:
            count(row, named[0], row.place, "", named[1])
    return dict(found)


def bucket_bounds(bucket):
    """The durations of a bucket in nanoseconds: above the first, up to the second."""
    lower = -1 if bucket == 79 else 2 ** (bucket / 8)
    return lower, math.inf if bucket == 335 else 2 ** ((bucket + 1) / 8)


def unpacked(buckets):
    """[(bucket, count), ...] of latency_buckets."""
    return list(struct.iter_unpack(">hi", buckets))


def packed_edges(connection, table, column):
    """What the janitor stored, as {(begin in Unix seconds, tenant, names...): (calls, errors, sum, latency_buckets)}, in
    the order of each minute's or hour's edges."""
    names = {row[0]: row[1:] for row in connection.execute(
        f"SELECT edge_id, {', '.join(EDGE_COLUMNS[1:])} FROM otel_service_edges_dim")}
    found = {}
    for moment, tenant, packed, buckets in connection.execute(
            f"SELECT extract(epoch FROM {column})::int8, tenant, edges, latency_buckets FROM {table} ORDER BY 1, 2"):
        start, calls_before = 0, math.inf
        for edge, calls, errors, total, end in struct.iter_unpack(">5q", packed):
            key = (moment, tenant, *names[edge])
            assert key not in found, "an edge is there twice"
            assert calls <= calls_before, "not in the order of calls"
            found[key] = calls, errors, total, buckets[start:end]
            start, calls_before = end, calls
        assert start == len(buckets)
    return found


def store_edges(connection, edges):
    """Edges as the janitor stores them, without durations: (minute, tenant, kind, client, server, calls), the first in
    Unix nanoseconds."""
    key = "otel_edge_key(given.kind, '', client, '', server)"
    connection.execute("CREATE TEMPORARY TABLE given (minute bigint, tenant text, kind text, client text, server text, "
                       "calls bigint)")
    for edge in edges:
        connection.execute("INSERT INTO given VALUES (%s, %s, %s, %s, %s, %s)", edge)
    connection.execute(f"""
        INSERT INTO otel_service_edges_dim (edge_key, kind, client_namespace, client_service, server_namespace,
            server_service, last_seen)
        SELECT {key}, kind, '', client, '', server, otel_time(max(minute))
        FROM given GROUP BY kind, client, server""")
    connection.execute(f"""
        INSERT INTO otel_service_minute_edges
        SELECT otel_time(minute), tenant, string_agg(int8send(edge_id) || int8send(calls) || int8send(0) || int8send(0)
            || int8send(0), ''::bytea ORDER BY calls DESC), ''
        FROM given JOIN otel_service_edges_dim ON edge_key = {key}
        GROUP BY minute, tenant""")
    connection.execute("""
        INSERT INTO otel_service_edge_minutes
        SELECT otel_time(minute), now(), false, sum(calls), count(*), 0 FROM given GROUP BY minute""")
    connection.execute("DROP TABLE given")
