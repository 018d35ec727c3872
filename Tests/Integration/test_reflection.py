# SPDX-License-Identifier: Apache-2.0
"""grpc.reflection: OpenTelemetry's interface as a client without any of its files discovers it."""

import threading

import grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
import pytest

from support.grpcwire import PATHS
from support.waiting import PATIENCE_SECONDS

EXPORT_SERVICES = {path.split("/")[1] for path in PATHS.values()}
METHODS = ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
           "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]
Request = reflection_pb2.ServerReflectionRequest


def ask(channel, method, *requests, **options):
    call = channel.stream_stream(method, request_serializer=Request.SerializeToString,
                                 response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
    return list(call(iter(requests), timeout=PATIENCE_SECONDS, **options))


def test_client_that_knows_nothing_calls_export(channel):
    """With nothing but what reflection says: find the services, make a request, have it answered."""
    database = ProtoReflectionDescriptorDatabase(channel)
    assert EXPORT_SERVICES | {"grpc.health.v1.Health"} <= set(database.get_services())
    pool = DescriptorPool(database)
    for name in EXPORT_SERVICES:
        method = pool.FindServiceByName(name).FindMethodByName("Export")
        request = GetMessageClass(method.input_type)()
        response = channel.unary_unary(
            f"/{name}/Export", request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString)(request, timeout=PATIENCE_SECONDS)
        assert response.DESCRIPTOR.full_name == method.output_type.full_name


def test_every_service_and_type_is_described(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    for name in database.get_services():
        for method in pool.FindServiceByName(name).methods:
            assert pool.FindMessageTypeByName(method.input_type.full_name).file.name


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
@pytest.mark.parametrize("method", METHODS)
def test_many_questions_on_one_call(channel, method, compression):
    answers = ask(
        channel, method, Request(list_services=""), Request(file_containing_symbol="nothing"),
        Request(file_by_filename="grpc/health/v1/health.proto"), Request(file_by_filename="x" * 1000),
        Request(file_containing_symbol="grpc.health.v1.HealthCheckResponse.ServingStatus"),
        Request(all_extension_numbers_of_type="grpc.health.v1.HealthCheckRequest"), Request(host="h"),
        compression=compression)
    kinds = [answer.WhichOneof("message_response") for answer in answers]
    assert kinds == ["list_services_response", "error_response", "file_descriptor_response", "error_response",
                     "file_descriptor_response", "all_extension_numbers_response", "error_response"]
    assert answers[1].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert answers[2].file_descriptor_response == answers[4].file_descriptor_response
    assert answers[2].original_request.file_by_filename == "grpc/health/v1/health.proto"
    assert answers[6].valid_host == "h"


@pytest.mark.parametrize("content, code", [
    (b"\xff", grpc.StatusCode.INVALID_ARGUMENT), (b"\x0a\x90\x4e" + b"a" * 10_000, grpc.StatusCode.INTERNAL)])
def test_bad_messages(channel, content, code):
    with pytest.raises(grpc.RpcError) as caught:
        list(channel.stream_stream(METHODS[0])(iter([content]), timeout=PATIENCE_SECONDS))
    assert caught.value.code() == code


def test_no_question(channel):
    assert ask(channel, METHODS[0]) == []


def test_conversation_does_not_hold_up_the_end(database, start_server):
    server = start_server(database)
    with server.channel() as channel:
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            endless_questions(), timeout=120)
        assert next(answers).list_services_response.service
        server.daemon.terminate()
        with pytest.raises(grpc.RpcError) as caught:
            while True:
                next(answers)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert server.daemon.wait() == 0, server.daemon.output()


def endless_questions():
    """One, and then the client stays on the line."""
    yield Request(list_services="")
    threading.Event().wait(PATIENCE_SECONDS)
