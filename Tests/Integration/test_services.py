# SPDX-License-Identifier: Apache-2.0
"""Health and server reflection, with the clients that gRPC publishes for them."""

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
import pytest

from support import otlp
from support.grpcwire import PATHS

SERVING = health_pb2.HealthCheckResponse.SERVING
EXPORT_SERVICES = {path.split("/")[1] for path in PATHS.values()}


@pytest.fixture
def health(channel):
    return health_pb2_grpc.HealthStub(channel)


@pytest.mark.parametrize("service", ["", *sorted(EXPORT_SERVICES)])
def test_health_check(health, service):
    assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=30).status == SERVING


def test_health_of_an_unknown_service(health):
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=30)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(("service", "expected"), [
    ("", SERVING), ("no.such.Service", health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)])
def test_health_watch_answers_at_once_and_stays_open(health, service, expected):
    call = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=30)
    assert next(call).status == expected
    assert call.is_active()
    call.cancel()


def reflection_stream(channel, package, requests):
    """Answers of ServerReflectionInfo: v1 and v1alpha have the same messages under different names."""
    method = channel.stream_stream(
        f"/grpc.reflection.{package}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
    return list(method(iter(requests), timeout=30))


@pytest.mark.parametrize("package", ["v1", "v1alpha"])
def test_reflection_lists_and_describes(channel, package):
    request = reflection_pb2.ServerReflectionRequest
    listed, described, missing = reflection_stream(channel, package, [
        request(list_services="*"), request(file_containing_symbol=sorted(EXPORT_SERVICES)[0]),
        request(file_containing_symbol="no.such.Symbol")])
    names = {service.name for service in listed.list_services_response.service}
    assert EXPORT_SERVICES | {"grpc.health.v1.Health", f"grpc.reflection.{package}.ServerReflection"} <= names
    first = descriptor_pb2.FileDescriptorProto.FromString(
        described.file_descriptor_response.file_descriptor_proto[0])
    assert first.name == "opentelemetry/proto/collector/logs/v1/logs_service.proto"
    assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_export_with_types_from_reflection(channel, db):
    """As grpcurl does: nothing but the server's own descriptors, and `optional` has presence in them."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    point = pool.FindMessageTypeByName("opentelemetry.proto.metrics.v1.HistogramDataPoint")
    assert all(point.fields_by_name[name].has_presence for name in ("sum", "min", "max"))
    service = pool.FindServiceByName("opentelemetry.proto.collector.trace.v1.TraceService")
    assert [method.name for method in service.methods] == ["Export"]
    assert service.methods[0].input_type.full_name.endswith("ExportTraceServiceRequest")


def test_export_while_a_reflection_stream_is_open(channel, export, db):
    """grpcurl keeps its reflection stream open around the call."""
    method = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
    done = []

    def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="*")
        done.append(export(otlp.request("traces")))

    assert len(list(method(requests(), timeout=30))) == 1
    assert done and db.execute("SELECT count(*) FROM otel_spans_fact").fetchone() == (1,)
