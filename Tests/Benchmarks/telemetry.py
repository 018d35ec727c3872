# SPDX-License-Identifier: Apache-2.0
"""Telemetry as services produce it, from a seed: names of the semantic conventions with realistic cardinalities.

Everything is a plain dictionary of Python values, so that it can go out as OTLP and into any schema alike.
"""

import random

METHODS = ["GET"] * 6 + ["POST"] * 3 + ["PUT", "DELETE"]
STATUSES = [200] * 12 + [201, 204, 304, 400, 404, 404, 429, 500, 503]
ROUTES = [f"/api/v{1 + index % 2}/{noun}/{{id}}" + part
          for index, noun in enumerate(["users", "orders", "carts", "items", "payments", "sessions", "reviews", "search"])
          for part in ("", "/details", "/history", "/{child}")]
TABLES = ["users", "orders", "order_lines", "carts", "items", "payments", "sessions", "reviews", "stock", "audit"]
AGENTS = [f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{120 + version}.0.0.0"
          for version in range(20)]
SEVERITIES = [(9, "INFO")] * 8 + [(5, "DEBUG")] * 3 + [(13, "WARN")] * 2 + [(17, "ERROR")]
LOGGERS = [f"com.example.shop.{name}" for name in ("Cart", "Order", "Payment", "Stock", "Session", "Search")]
RESOURCE_COUNT = 24
MILLISECOND_NS = 1_000_000


def resources(count=RESOURCE_COUNT):
    """Services, three pods each."""
    result = []
    for index in range(count):
        service = f"service-{index // 3}"
        result.append({
            "service.name": service, "service.namespace": "shop", "service.version": "2.14.1",
            "service.instance.id": f"{service}-{index:04x}", "k8s.pod.name": f"{service}-7d9f{index:04x}",
            "k8s.namespace.name": "shop", "k8s.node.name": f"node-{index % 5}", "host.name": f"node-{index % 5}",
            "cloud.region": "eu-central-1", "deployment.environment.name": "production",
            "telemetry.sdk.language": "java", "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.40.0"})
    return result


class Telemetry:
    """Draws from one seed. `start_ns` is the time of the first item; each next one is up to `step_ns` later."""

    routes, tables = ROUTES, TABLES

    def __init__(self, seed, start_ns, step_ns=2 * MILLISECOND_NS, resource_count=RESOURCE_COUNT):
        self.random = random.Random(seed)
        self.now_ns = start_ns
        self.step_ns = step_ns
        self.resource_count = resource_count

    def step(self):
        self.now_ns += self.random.randrange(self.step_ns)
        return self.now_ns

    def neighbour(self, _):
        """A resource that is called by this one."""
        return self.random.randrange(self.resource_count)

    def spans(self, count):
        """Traces of about eight spans over two or three services."""
        made = 0
        while made < count:
            trace_id, parent = self.random.randbytes(16), b""
            home = self.random.randrange(self.resource_count)
            for _ in range(self.random.randint(3, 13)):
                resource = home if self.random.random() < 0.6 else self.neighbour(home)
                span = self.span(trace_id, parent, resource)
                yield span
                made += 1
                if made == count:
                    return
                if not parent or self.random.random() < 0.4:
                    parent = span["span_id"]

    def span(self, trace_id, parent, resource):
        name, kind, attributes = self.random.choices(
            [self.http_server, self.http_client, self.database, self.internal, self.messaging, self.rpc],
            weights=[30, 15, 30, 10, 8, 7])[0]()
        start = self.step()
        is_error = self.random.random() < 0.02
        if is_error:
            attributes["error.type"] = self.random.choice(["timeout", "java.io.IOException", "500"])
        return {"trace_id": trace_id, "span_id": self.random.randbytes(8), "parent_span_id": parent,
                "resource": resource, "name": name, "kind": kind, "start": start,
                "end": start + int(self.random.lognormvariate(15, 1.5)), "status": 2 if is_error else None,
                "attributes": attributes}

    def shared(self, attributes):
        """Attributes that agents put on many spans."""
        if self.random.random() < 0.6:
            attributes["thread.id"] = self.random.randint(20, 90)
            attributes["thread.name"] = f"http-nio-8080-exec-{self.random.randint(1, 60)}"
        if self.random.random() < 0.3:
            attributes["app.tenant"] = f"tenant-{self.random.randint(1, 400)}"
        if self.random.random() < 0.1:
            attributes["app.request_id"] = self.random.randbytes(8).hex()
        return attributes

    def http_server(self):
        method, route = self.random.choice(METHODS), self.random.choice(self.routes)
        return f"{method} {route}", 2, self.shared({
            "http.request.method": method, "http.route": route, "url.scheme": "https",
            "url.path": route.replace("{id}", str(self.random.randint(1, 50_000))).replace("{child}", "main"),
            "http.response.status_code": self.random.choice(STATUSES), "server.address": "shop.example.org",
            "server.port": 443, "client.address": f"10.{self.random.randint(0, 3)}.{self.random.randint(0, 255)}.7",
            "user_agent.original": self.random.choice(AGENTS), "network.protocol.version": "1.1"})

    def http_client(self):
        method, host = self.random.choice(METHODS), f"service-{self.random.randint(0, 7)}.shop.svc"
        return method, 3, self.shared({
            "http.request.method": method, "server.address": host, "server.port": 8080,
            "url.full": f"http://{host}:8080/v1/{self.random.choice(self.tables)}/{self.random.randint(1, 50_000)}",
            "http.response.status_code": self.random.choice(STATUSES), "network.protocol.version": "1.1"})

    def database(self):
        table, operation = self.random.choice(self.tables), self.random.choice(["SELECT"] * 5 + ["INSERT", "UPDATE"])
        return f"{operation} {table}", 3, self.shared({
            "db.system.name": "postgresql", "db.namespace": "shop", "db.collection.name": table,
            "db.operation.name": operation, "db.query.text": f"{operation} … {table} WHERE id = ? AND tenant = ?",
            "server.address": "db.shop.svc", "server.port": 5432})

    def internal(self):
        function = f"{self.random.choice(LOGGERS)}Service.handle{self.random.randint(1, 20)}"
        return function.rsplit(".", 1)[1], 1, self.shared({
            "code.function.name": function, "code.line.number": self.random.randint(10, 900),
            "app.items": self.random.randint(0, 40), "app.discount": round(self.random.random(), 3),
            "app.is_member": self.random.random() < 0.5})

    def messaging(self):
        topic = f"{self.random.choice(self.tables)}.changed"
        return f"send {topic}", 4, self.shared({
            "messaging.system": "kafka", "messaging.operation.name": "send", "messaging.destination.name": topic,
            "messaging.message.id": self.random.randbytes(8).hex(),
            "messaging.destination.partition.id": str(self.random.randint(0, 11)),
            "messaging.client.id": "producer-1"})

    def rpc(self):
        method = f"{self.random.choice(self.tables)}.Inventory/Get{self.random.randint(1, 12)}"
        return method, 3, self.shared({
            "rpc.system.name": "grpc", "rpc.method": method, "rpc.response.status_code": "OK",
            "server.address": "inventory.shop.svc", "server.port": 9090})

    def logs(self, count):
        for _ in range(count):
            number, text = self.random.choice(SEVERITIES)
            logger, has_trace = self.random.choice(LOGGERS), self.random.random() < 0.7
            attributes = {"log.logger": logger, "thread.name": f"http-nio-8080-exec-{self.random.randint(1, 60)}",
                          "code.line.number": self.random.randint(10, 900), "app.tenant": f"tenant-{self.random.randint(1, 400)}"}
            if number >= 17:
                attributes |= {"exception.type": "java.io.IOException", "exception.message": "connection reset by peer"}
            yield {"time": self.step(), "resource": self.random.randrange(self.resource_count), "severity": number,
                   "severity_text": text, "trace_id": self.random.randbytes(16) if has_trace else b"",
                   "span_id": self.random.randbytes(8) if has_trace else b"", "attributes": attributes,
                   "body": f"{self.random.choice(['handled', 'queued', 'finished', 'skipped'])} request "
                           f"{self.random.randint(1, 10**6)} for {self.random.choice(self.tables)} in "
                           f"{self.random.randint(1, 900)} ms"}

    def points(self, count):
        """Every series reports once a round; ten thousand series or so."""
        series = [(metric, resource, {"http.request.method": method, "http.route": route, "url.scheme": "https"})
                  for metric in ("http.server.active_requests", "http.server.errors")
                  for resource in range(RESOURCE_COUNT) for method in ("GET", "POST", "PUT") for route in ROUTES]
        for number in range(count):
            metric, resource, attributes = series[number % len(series)]
            if number % len(series) == 0:
                self.now_ns += 10_000 * MILLISECOND_NS
            yield {"time": self.now_ns, "metric": metric, "resource": resource, "attributes": attributes,
                   "value": self.random.randint(0, 10_000)}
