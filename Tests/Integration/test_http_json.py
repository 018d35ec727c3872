# SPDX-License-Identifier: Apache-2.0
"""OTLP/JSON beside protobuf's own JSON mapping, which it is where it does not deviate, and where it deviates."""

import json
import random

from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
import pytest

from support import full, otlp, rebuild, rebuild_metrics
from support.api import api_settings
from support.daemon import free_port
from support.normal import assert_same, merge
from support.otlp import BASE_NS, REQUESTS, SIGNALS
from support.otlphttp import JSON, PROTOBUF, Connection, to_json
from support.random_otlp import Maker

PORT = free_port()
API_SETTINGS, api = api_settings()
STARLING_SETTINGS = API_SETTINGS | {"listen.http": f"127.0.0.1:{PORT}"}
REBUILD = {"traces": rebuild.traces, "logs": rebuild.logs, "metrics": rebuild_metrics.metrics}
FULL = {"traces": full.traces, "logs": full.logs, "metrics": full.metrics}
RANDOM_COUNT = 150


@pytest.fixture
def connection(starling):
    with Connection(PORT) as connection:
        yield connection


def deduplicated(signal):
    return api.metrics()[f'starling_items_settled_total{{outcome="deduplicated",signal="{signal}"}}']


@pytest.mark.parametrize("names", [False, True], ids=["camelCase", "snake_case"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_every_field(connection, db, signal, names):
    request = FULL[signal]()
    body = to_json(request, preserving_proto_field_name=names)
    answer = connection.post(signal, body.encode(), JSON)
    assert answer.status == 200 and answer.body == b"{}", answer
    assert_same(request, REBUILD[signal](db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_bytes_are_those_of_a_protobuf_library(connection, db, signal):
    """Only then is one a retry of the other."""
    requests = [otlp.request(signal, resource=full.Resource(attributes=otlp.attributes(
        number=number, text="x" * size, list__a=otlp.nested(5)))) for number, size in enumerate((1, 127, 128, 20_000))]
    before = deduplicated(signal)
    for request in requests:
        connection.export(signal, request, JSON)
        connection.export(signal, request, PROTOBUF)
    assert deduplicated(signal) - before == len(requests)
    assert_same(merge(requests), REBUILD[signal](db))


@pytest.mark.parametrize("signal", SIGNALS)
def test_random_requests(connection, db, signal):
    """What random protobuf becomes as JSON is stored as if it had come as protobuf."""
    requests = []
    for number in range(RANDOM_COUNT):
        request = Maker(random.Random(f"json/{signal}/{number}")).request(signal)
        try:
            body = to_json(request)
        except (json_format.SerializeToJsonError, UnicodeDecodeError):
            continue
        # Its JSON is what counts: it lacks unknown fields, and which NaN it was.
        requests.append(json_format.ParseDict(json_format.MessageToDict(request), REQUESTS[signal]()))
        answer = connection.post(signal, body.encode("utf-8", "surrogatepass"), JSON)
        assert answer.status == 200 and answer.body == b"{}", (number, answer)
    assert len(requests) > RANDOM_COUNT / 2
    assert_same(merge(requests), REBUILD[signal](db))


# --- values as json_format reads them -----------------------------------------------------------

AS_PROTOBUF = [
    "{}", '{"stringValue":"text"}', '{"stringValue":""}', '{"stringValue":null}', '{"string_value":"snake"}',
    r'{"stringValue":"\"\\\/\b\f\n\r\t\u00e9\ud83c\udf0d"}', '{"stringValue":"Grüße 🌍"}', '{"stringValue":1}',
    '{"stringValue":["a"]}', '{"stringValue":{}}', r'{"stringValue":"\x"}', '{"stringValue":"a\nb"}',
    '{"boolValue":true}', '{"boolValue":false}', '{"boolValue":null}', '{"boolValue":"true"}', '{"boolValue":1}',
    '{"intValue":"12"}', '{"intValue":12}', '{"intValue":-0}', '{"intValue":"-9223372036854775808"}',
    '{"intValue":9223372036854775807}', '{"intValue":9223372036854775808}', '{"intValue":"9223372036854775808"}',
    '{"intValue":-9223372036854775809}', '{"intValue":1e3}', '{"intValue":1.0}', '{"intValue":1.5}', '{"intValue":""}',
    '{"intValue":"1.5"}', '{"intValue":"x"}', '{"intValue":true}', '{"intValue":" 1"}', '{"intValue":[]}',
    '{"doubleValue":0.1}', '{"doubleValue":"0.1"}', '{"doubleValue":-0.0}', '{"doubleValue":1e-7}', '{"doubleValue":3}',
    '{"doubleValue":"NaN"}', '{"doubleValue":"Infinity"}', '{"doubleValue":"-Infinity"}', '{"doubleValue":"nan"}',
    '{"doubleValue":1.7976931348623157e308}', '{"doubleValue":1e309}', '{"doubleValue":5e-324}',
    '{"doubleValue":1e-400}',
    '{"doubleValue":123456789.123456789123456789}', '{"doubleValue":null}', '{"doubleValue":{}}',
    '{"doubleValue":"x"}', '{"doubleValue":.5}', '{"doubleValue":5.}', '{"doubleValue":01}', '{"doubleValue":+1}',
    '{"bytesValue":"AAECAw=="}', '{"bytesValue":"AAECAw"}', '{"bytesValue":"_-8="}', '{"bytesValue":"/+8="}',
    '{"bytesValue":""}', '{"bytesValue":7}',
    '{"arrayValue":{}}', '{"arrayValue":{"values":[]}}', '{"arrayValue":{"values":[{},{"intValue":1}]}}',
    '{"arrayValue":{"values":null}}', '{"arrayValue":{"values":[null]}}', '{"arrayValue":null}',
    '{"arrayValue":{"values":{}}}', '{"arrayValue":{"values":[1]}}',
    '{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"b"}},{"key":"c"}]}}', '{"kvlist_value":{}}',
    '{"stringValue":"a","intValue":1}', '{"stringValue":"a","intValue":null}', '{"intValue":1,"intValue":2}',
    '{"unknown":{"a":[1,"x",null,{}]},"intValue":1}', '{"intValue":1,}', '{"intValue" 1}', "{intValue:1}", "1", "true",
    '{"intValue":1}}', '{"intValue":1', '{"a":[1,2,]}', '{"a":{"b":1,}}', "{'intValue':1}",
]


# What Python's parser takes and the mapping does not provide for.
TOO_LAX = ['{"doubleValue":true}', '{"arrayValue":[]}', "[]", '"text"']


def as_protobuf(text):
    """The value, or None where protobuf's own parser does not take it."""
    try:
        return json_format.Parse(text, AnyValue(), ignore_unknown_fields=True)
    except json_format.ParseError:
        return None


def around(text, number):
    return ('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":%s}]}]}]}'
            % (BASE_NS + number, text)).encode()


def test_values_as_protobuf_reads_them(connection, db):
    stored, differing = otlp.request("logs", []), []
    for number, text in enumerate(AS_PROTOBUF):
        expected = as_protobuf(text)
        answer = connection.post("logs", around(text, number), JSON)
        if answer.status != (400 if expected is None else 200):
            differing.append((text, expected, answer))
        if answer.status == 400:
            assert answer.error(400).startswith("not valid OTLP/JSON: "), answer
        elif expected is not None:
            stored.resource_logs[0].scope_logs[0].log_records.add(time_unix_nano=BASE_NS + number, body=expected)
    assert not differing, "\n".join(map(str, differing))
    stored.resource_logs[0].ClearField("resource")
    stored.resource_logs[0].scope_logs[0].ClearField("scope")
    assert_same(stored, rebuild.logs(db))


@pytest.mark.parametrize("text", TOO_LAX)
def test_what_the_mapping_does_not_provide_for(connection, text):
    assert as_protobuf(text) is not None
    assert connection.post("logs", around(text, 0), JSON).status == 400


# --- where OTLP deviates ------------------------------------------------------------------------

def span(**fields):
    """The text of a span that is stored; a field that is None is left out."""
    fields = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174", "name": "span",
              "startTimeUnixNano": str(BASE_NS), "endTimeUnixNano": BASE_NS + 1} | fields
    span = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def test_ids_are_hexadecimal(connection, db):
    answer = connection.post("traces", span(
        parentSpanId="EEE19b7ec3c1b173", links=[{"traceId": "5b8efff798038103d269b633813fc60d",
                                                 "spanId": "eee19b7ec3c1b175"}]), JSON)
    assert answer.status == 200 and answer.body == b"{}"
    ((trace, own, parent, links),) = db.execute(
        "SELECT trace_id, span_id, parent_span_id, links FROM otel_spans_fact").fetchall()
    assert trace.hex == "5b8efff798038103d269b633813fc60c"
    assert (own % 2**64, parent % 2**64) == (0xEEE19B7EC3C1B174, 0xEEE19B7EC3C1B173)
    assert "eee19b7ec3c1b175" in json.dumps(links)


@pytest.mark.parametrize("fields, problem", [
    ({"traceId": "W47/95gDgQPSabYzgT/GDA=="}, "expected hexadecimal digits"),
    ({"spanId": "eee19b7ec3c1b17"}, "expected hexadecimal digits"),
    ({"kind": "SPAN_KIND_SERVER"}, "enumerations are written as numbers"),
    ({"status": {"code": "STATUS_CODE_OK"}}, "enumerations are written as numbers"),
    ({"kind": "2"}, "enumerations are written as numbers"), ({"flags": -1}, "no whole number of 32 bits"),
    ({"startTimeUnixNano": 1.5}, "no whole number of 64 bits"),
])
def test_what_otlp_forbids(connection, fields, problem):
    assert problem in connection.post("traces", span(**fields), JSON).error(400)


@pytest.mark.parametrize("fields, reason", [
    ({"traceId": "5b8e"}, "trace_id"), ({"spanId": "00" * 8}, "span_id"), ({"parentSpanId": "00"}, "parent_span_id"),
    ({"name": "a\0b"}, "NUL"), ({"name": "\ud800"}, "UTF-8"), ({"startTimeUnixNano": str(2**64 - 1)}, "2^63"),
])
def test_what_costs_an_item(connection, db, fields, reason):
    """As in protobuf: the item becomes a dead letter, and its request is stored."""
    answer = connection.post("traces", span(**fields), JSON)
    partial = json.loads(answer.body)["partialSuccess"]
    assert partial["rejectedSpans"] == "1"
    assert reason in partial["errorMessage"], partial


def test_unknown_enumerations_and_flags_are_kept(connection, db):
    assert connection.post("traces", span(kind=77, flags=0x0301), JSON).body == b"{}"
    assert rebuild.traces(db).resource_spans[0].scope_spans[0].spans[0].kind == 77
