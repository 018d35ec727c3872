# SPDX-License-Identifier: Apache-2.0
"""What Jaeger's older JSON has to show of OTLP, worked out from the messages that were sent."""

import base64
import json

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

NO_SERVICE = "OTLPResourceNoServiceName"
KINDS = {Span.SPAN_KIND_INTERNAL: "internal", Span.SPAN_KIND_SERVER: "server", Span.SPAN_KIND_CLIENT: "client",
         Span.SPAN_KIND_PRODUCER: "producer", Span.SPAN_KIND_CONSUMER: "consumer"}


def plain(value):
    """An AnyValue as Python has it; bytes are base64 inside of lists and maps."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(element) for element in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    found = getattr(value, kind)
    return base64.b64encode(found).decode() if kind == "bytes_value" else found


def tag(key, value):
    """A tag of an AnyValue. Lists and maps are texts of JSON, which are compared as what they say."""
    kind = value.WhichOneof("value")
    if kind in ("array_value", "kvlist_value"):
        return (key, "string", json.dumps(plain(value), sort_keys=True))
    types = {"string_value": "string", "bool_value": "bool", "int_value": "int64", "double_value": "float64",
             "bytes_value": "binary", None: "string"}
    return (key, types[kind], "" if kind is None else plain(value))


def tags(attributes):
    return [tag(attribute.key, attribute.value) for attribute in attributes]


def seen_tags(found):
    """Tags of an answer in a form to compare, in any order."""
    def value(one):
        text = one["value"]
        if one["type"] == "string" and text[:1] in "[{" and text:
            return json.dumps(json.loads(text), sort_keys=True)
        return text
    return sorted(((one["key"], one["type"], value(one)) for one in found), key=repr)


def expected_span(span, scope):
    """Of a span, all but its process."""
    own = tags(span.attributes)
    if span.kind in KINDS:
        own.append(("span.kind", "string", KINDS[span.kind]))
    if span.status.code == Status.STATUS_CODE_OK:
        own.append(("otel.status_code", "string", "OK"))
    if span.status.code == Status.STATUS_CODE_ERROR:
        own += [("otel.status_code", "string", "ERROR"), ("error", "bool", True)]
    if span.status.message:
        own.append(("otel.status_description", "string", span.status.message))
    if scope.name:
        own.append(("otel.scope.name", "string", scope.name))
    if scope.version:
        own.append(("otel.scope.version", "string", scope.version))
    if span.trace_state:
        own.append(("w3c.tracestate", "string", span.trace_state))
    parent = [("CHILD_OF", span.trace_id.hex(), span.parent_span_id.hex())] if span.parent_span_id else []
    return {
        "traceID": span.trace_id.hex(), "spanID": span.span_id.hex(), "operationName": span.name,
        "references": parent + [("FOLLOWS_FROM", link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        "startTime": span.start_time_unix_nano // 1000,
        "duration": (span.end_time_unix_nano - span.start_time_unix_nano) // 1000,
        "tags": sorted(own, key=repr),
        "logs": [{"timestamp": event.time_unix_nano // 1000,
                  "fields": sorted([("event", "string", event.name)] + tags(event.attributes), key=repr)}
                 for event in span.events],
        "warnings": None}


def seen_span(span):
    """A span of an answer in the same form."""
    return {key: span[key] for key in
            ("traceID", "spanID", "operationName", "startTime", "duration", "warnings")} | {
        "references": [(one["refType"], one["traceID"], one["spanID"]) for one in span["references"]],
        "tags": seen_tags(span["tags"]),
        "logs": [{"timestamp": log["timestamp"], "fields": seen_tags(log["fields"])} for log in span["logs"]]}


class Jaeger:
    """Jaeger's API at `prefix` of a QueryAPI."""

    def __init__(self, query, prefix="/jaeger"):
        self.query = query
        self.prefix = prefix

    def get(self, path, parameters=()):
        """The data of an envelope that has to be whole."""
        answer = self.envelope(path, parameters)
        assert answer["errors"] is None, answer
        return answer["data"]

    def envelope(self, path, parameters=(), status=200):
        answer = self.query.request(self.prefix + path, parameters)
        assert answer.status == status, answer
        assert set(answer.json) - {"warnings"} == {"data", "total", "limit", "offset", "errors"}, answer
        return answer.json

    def fails(self, status, path, parameters=()):
        """The message of an envelope without data."""
        answer = self.envelope(path, parameters, status)
        assert answer["data"] is None and [error["code"] for error in answer["errors"]] == [status], answer
        return answer["errors"][0]["msg"]

    def found(self, **parameters):
        """Ids of the traces that a search of the older API finds, in its order."""
        return [trace["traceID"] for trace in self.get("/api/traces", parameters)]

    def v3(self, path, parameters=()):
        answer = self.query.request(self.prefix + "/api/v3" + path, parameters)
        assert answer.status == 200, answer
        return answer.json

    def v3_fails(self, status, path, parameters=()):
        answer = self.query.request(self.prefix + "/api/v3" + path, parameters)
        assert answer.status == status, answer
        assert answer.json["error"]["httpCode"] == status, answer
        return answer.json["error"]["message"]
