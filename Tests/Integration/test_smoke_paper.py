# SPDX-License-Identifier: Apache-2.0
"""docs/smoke-test.md, played: each command as grpcurl carries it out, and its output held against the paper."""

import json
from pathlib import Path
import re
import time

from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
import pytest

from support.grpcwire import Answer, assert_success, frame, headers

PAPER = Path(__file__).resolve().parents[2] / "docs" / "smoke-test.md"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
BLOCK = re.compile(r"^```\n\$ grpcurl ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"<<END\n(.*?)^END$", re.MULTILINE | re.DOTALL)
COMMANDS = BLOCK.findall(PAPER.read_text())


class Grpcurl:
    """What grpcurl does on the wire: questions on one stream, the call beside it, and only then its end."""

    def __init__(self, client, port):
        self.client, self.port = client, port
        self.stream_id = client.open(headers(port, path=REFLECTION))
        self.taken = 0

    def ask(self, **question):
        stream = self.client.streams[self.stream_id]
        self.client.send(self.stream_id, frame(ServerReflectionRequest(**question).SerializeToString()))

        def message():
            rest = stream.data[self.taken:]
            size = int.from_bytes(rest[1:5], "big") if len(rest) >= 5 else None
            return rest[5:5 + size] if size is not None and len(rest) >= 5 + size else None
        self.client.until(lambda: message() is not None, "an answer")
        answer = message()
        self.taken += 5 + len(answer)
        return ServerReflectionResponse.FromString(answer)

    def pool(self, symbol):
        """Descriptors of a symbol and of all that its file imports, none of which is known beforehand."""
        files = {}

        def add(answer):
            assert answer.HasField("file_descriptor_response"), answer
            for data in answer.file_descriptor_response.file_descriptor_proto:
                file = FileDescriptorProto.FromString(data)
                files[file.name] = file
        add(self.ask(file_containing_symbol=symbol))
        while missing := {name for file in files.values() for name in file.dependency} - files.keys():
            add(self.ask(file_by_filename=missing.pop()))
        pool = DescriptorPool()

        def put(file):
            for name in file.dependency:
                put(files[name])
            pool.Add(file)
        put_once = set()
        for file in files.values():
            if file.name not in put_once:
                put(file)
                put_once.add(file.name)
        return pool

    def end(self):
        self.client.send(self.stream_id, b"", end_stream=True)
        stream = self.client.wait(self.stream_id)
        # grpcurl waits for this, for ever.
        assert stream.is_ended and dict(stream.trailers)["grpc-status"] == "0"

    def run(self, verb, *words, stdin=""):
        if verb == "list" and not words:
            return "".join(f"{name}\n" for name in sorted(
                service.name for service in self.ask(list_services="*").list_services_response.service))
        if verb == "list":
            service = self.pool(words[0]).FindServiceByName(words[0])
            return "".join(f"{method.full_name}\n" for method in service.methods)
        if verb == "describe":
            return described(self.pool(words[0]), words[0])
        return self.call(verb, stdin)

    def call(self, method_name, stdin):
        service_name, name = method_name.split("/")
        method = self.pool(service_name).FindServiceByName(service_name).FindMethodByName(name)
        request = GetMessageClass(method.input_type)()
        json_format.Parse(stdin or "{}", request)
        stream_id = self.client.open(headers(self.port, path=f"/{method_name}", grpc_timeout="2992404u"))
        self.client.send(stream_id, frame(request.SerializeToString()), end_stream=True)
        answer = Answer(self.client.wait(stream_id))
        assert_success(answer)
        response = GetMessageClass(method.output_type).FromString(answer.body)
        return json.dumps(json_format.MessageToDict(response), indent=2) + "\n"


def described(pool, symbol):
    try:
        service = pool.FindServiceByName(symbol)
    except KeyError:
        message = pool.FindMessageTypeByName(symbol)
        fields = "".join(f"  {described_type(field)} {field.name} = {field.number};\n" for field in message.fields)
        return f"{symbol} is a message:\nmessage {message.name} {{\n{fields}}}\n"
    methods = "".join(f"  rpc {method.name} ( .{method.input_type.full_name} ) returns "
                      f"( .{method.output_type.full_name} );\n" for method in service.methods)
    return f"{symbol} is a service:\nservice {service.name} {{\n{methods}}}\n"


def described_type(field):
    kind = (f".{field.message_type.full_name}" if field.type == FieldDescriptorProto.TYPE_MESSAGE
            else FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower())
    return f"repeated {kind}" if field.is_repeated else kind


def span(name):
    """The JSON of the paper, as its `sed` makes it, but never twice; bad.json is the same without a trace id."""
    text = SPAN.search(PAPER.read_text()).group(1).replace("NOW", str(time.time_ns()))
    return text if name == "span.json" else re.sub(r'"trace_id": "[^"]+"', '"trace_id": ""', text)


def test_paper_has_commands():
    assert len(COMMANDS) == 7


@pytest.mark.parametrize("command, output", COMMANDS, ids=[command for command, _ in COMMANDS])
def test_output_is_that_of_the_paper(starling, db, command, output):
    words = re.sub(r" < (\S+)$", "", command).removeprefix("-plaintext ").removeprefix("-d @ ").split()
    file = re.search(r" < (\S+)$", command)
    assert words[0] == "localhost:4317"
    with starling.client() as client:
        grpcurl = Grpcurl(client, starling.port)
        found = grpcurl.run(*words[1:], stdin=span(file.group(1)) if file else "")
        grpcurl.end()
    pattern = re.escape(output).replace(re.escape("..."), '[^"]+')
    assert re.fullmatch(pattern, found), found


def test_span_of_the_paper_is_found_as_the_paper_says(starling, db):
    query = re.search(r"^SELECT .*;$", PAPER.read_text(), re.MULTILINE).group(0)
    with starling.client() as client:
        grpcurl, text = Grpcurl(client, starling.port), span("span.json")
        for _ in range(2):
            grpcurl.run("opentelemetry.proto.collector.trace.v1.TraceService/Export", stdin=text)
        grpcurl.end()
    assert [row[1:] for row in db.execute(query)] == [("smoke", "smoke")]
