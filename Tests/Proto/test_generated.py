# SPDX-License-Identifier: Apache-2.0
"""Goal: the committed C code is what proto/ says, and speaks the same wire format.

Method: proto/generate --check on the tree and on damaged copies; then the C code itself is built
and has to carry messages with every field set, bit for bit, from and to Google's implementation.
"""

import ctypes
import importlib
import shutil
import subprocess
import sys

from google.protobuf import descriptor_pb2
import pytest

TRACE = "opentelemetry.proto.collector.trace.v1.trace_service_pb2"
LOGS = "opentelemetry.proto.collector.logs.v1.logs_service_pb2"
METRICS = "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2"

# Published module and message -> C descriptor symbol.
ROUND_TRIPS = {
    (TRACE, "ExportTraceServiceRequest"):
        "otlp__export_trace_service_request__descriptor",
    (TRACE, "ExportTraceServiceResponse"):
        "otlp__export_trace_service_response__descriptor",
    (LOGS, "ExportLogsServiceRequest"):
        "otlp__export_logs_service_request__descriptor",
    (LOGS, "ExportLogsServiceResponse"):
        "otlp__export_logs_service_response__descriptor",
    (METRICS, "ExportMetricsServiceRequest"):
        "otlp__export_metrics_service_request__descriptor",
    (METRICS, "ExportMetricsServiceResponse"):
        "otlp__export_metrics_service_response__descriptor",
    ("google.rpc.status_pb2", "Status"): "rpc__status__descriptor",
    ("google.rpc.error_details_pb2", "RetryInfo"): "rpc__retry_info__descriptor",
    ("google.rpc.error_details_pb2", "BadRequest"): "rpc__bad_request__descriptor",
    ("grpc_health.v1.health_pb2", "HealthListResponse"):
        "grpc_health__health_list_response__descriptor",
    ("grpc_reflection.v1alpha.reflection_pb2", "ServerReflectionRequest"):
        "grpc_reflection__server_reflection_request__descriptor",
    ("grpc_reflection.v1alpha.reflection_pb2", "ServerReflectionResponse"):
        "grpc_reflection__server_reflection_response__descriptor",
}


class Descriptor(ctypes.Structure):
    _fields_ = [
        ("file_name", ctypes.c_char_p),
        ("bytes", ctypes.c_void_p),
        ("size_bytes", ctypes.c_size_t),
    ]


def check(root):
    return subprocess.run([root / "proto" / "generate", "--check"], capture_output=True, text=True)


@pytest.fixture
def copy(root, tmp_path):
    """A tree of proto/ and its generated code that a test may damage."""
    shutil.copytree(root / "proto", tmp_path / "proto")
    shutil.copytree(root / "Sources" / "COTLP", tmp_path / "Sources" / "COTLP")
    return tmp_path


def test_committed_code_is_up_to_date(root):
    result = check(root)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_writing_twice_gives_the_same_bytes(copy, root):
    subprocess.run([copy / "proto" / "generate"], check=True)

    def tree(folder):
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder): path.read_bytes() for path in files}

    assert tree(copy / "Sources" / "COTLP") == tree(root / "Sources" / "COTLP")


@pytest.mark.parametrize("damage", ["proto changed", "code edited", "file lost", "file too many"])
def test_check_notices(copy, damage):
    header = copy / "Sources/COTLP/include/opentelemetry/proto/logs/v1/logs.pb-c.h"
    proto = copy / "proto/opentelemetry/proto/logs/v1/logs.proto"
    if damage == "proto changed":
        proto.write_text(proto.read_text().replace("event_name = 12;", "event_name = 13;"))
    elif damage == "code edited":
        header.write_text(header.read_text().replace("event_name", "event_title"))
    elif damage == "file lost":
        header.unlink()
    else:
        header.with_name("stray.h").write_text("int stray;\n")
    result = check(copy)
    assert result.returncode == 1
    assert "+++ b/Sources/COTLP/" in result.stdout or "+++ /dev/null" in result.stdout
    assert "run proto/generate" in result.stderr


def test_missing_tools_name_their_packages(root, tmp_path):
    command = [sys.executable, root / "proto" / "generate", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path)})
    assert result.returncode == 1
    assert "apt-get install protobuf-compiler protobuf-c-compiler" in result.stderr


# Attributes and bodies are generated as bytes, which is what a sub-message is on the wire; what they hold
# is generated as it is.
COMMON = ".opentelemetry.proto.common.v1."
KEPT_ON_WIRE = {COMMON + "KeyValue", COMMON + "AnyValue"}
INSIDE_THEM = {"AnyValue", "ArrayValue", "KeyValue", "KeyValueList"}


def wire(message, prefix=""):
    """{field path: what decides its encoding}, with strings and attributes taken for bytes."""
    flat = {}
    path = f"{prefix}.{message.name}"
    for field in message.field:
        kind = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type).replace("STRING", "BYTES")
        type_name = field.type_name
        if type_name in KEPT_ON_WIRE and message.name not in INSIDE_THEM:
            kind, type_name = "TYPE_BYTES", ""
        flat[f"{path}.{field.name}"] = (field.number, kind, field.label, type_name)
    for nested in message.nested_type:
        flat |= wire(nested, path)
    return flat


def test_variant_has_the_same_wire_format(files, variant_files, generator):
    compared = 0
    for name, file in files.items():
        if name in generator.NO_C_CODE:
            continue
        for ours, variant in zip(file.message_type, variant_files[name].message_type, strict=True):
            assert wire(ours) == wire(variant)
            compared += len(wire(ours))
    assert compared > 150


@pytest.fixture(scope="session")
def library(root, tmp_path_factory):
    """The generated C code as a shared library, built with every warning an error."""
    compiler = shutil.which("clang")
    assert compiler, "no clang; the Swift toolchain brings one: put its bin folder into PATH"
    target = root / "Sources" / "COTLP"
    output = tmp_path_factory.mktemp("library") / "libcotlp.so"
    sources = sorted(target.rglob("*.c"))
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    command = [compiler, *flags, f"-I{target}/include", *sources, "-lprotobuf-c", "-o", output]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(output))
    library.cotlp_descriptor_count.restype = ctypes.c_size_t
    library.cotlp_descriptor_at.argtypes = [ctypes.c_size_t]
    library.cotlp_descriptor_at.restype = ctypes.POINTER(Descriptor)
    unpack = library.protobuf_c_message_unpack
    unpack.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    unpack.restype = ctypes.c_void_p
    library.protobuf_c_message_pack.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.protobuf_c_message_pack.restype = ctypes.c_size_t
    library.protobuf_c_message_get_packed_size.argtypes = [ctypes.c_void_p]
    library.protobuf_c_message_get_packed_size.restype = ctypes.c_size_t
    library.protobuf_c_message_free_unpacked.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return library


def test_descriptor_table_holds_the_published_files(library, descriptor_set):
    count = library.cotlp_descriptor_count()
    table = [library.cotlp_descriptor_at(index).contents for index in range(count)]
    assert not library.cotlp_descriptor_at(count)
    names = [entry.file_name.decode() for entry in table]
    assert names == [file.name for file in descriptor_set.file]
    known = set()
    for entry, expected in zip(table, descriptor_set.file, strict=True):
        data = ctypes.string_at(entry.bytes, entry.size_bytes)
        file = descriptor_pb2.FileDescriptorProto.FromString(data)
        assert file == expected
        assert not file.HasField("source_code_info")
        assert known.issuperset(file.dependency), "a file comes before one that it imports"
        known.add(file.name)


SCALARS = {"STRING": "grün\0x", "BYTES": b"\x00\xff", "DOUBLE": -0.5, "BOOL": True}


def fill(message, depth, oneof_choice):
    """Sets every field; of each oneof, the member that `oneof_choice` falls on."""
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof and oneof.fields[oneof_choice % len(oneof.fields)] is not field:
            continue
        entry = field.message_type
        is_map = entry is not None and entry.GetOptions().map_entry
        if entry is not None and depth == 0:
            continue
        if is_map:
            fill(getattr(message, field.name)["key"], depth - 1, oneof_choice)
        elif entry is not None and field.is_repeated:
            for _ in range(2):
                fill(getattr(message, field.name).add(), depth - 1, oneof_choice)
        elif entry is not None:
            fill(getattr(message, field.name), depth - 1, oneof_choice)
            getattr(message, field.name).SetInParent()
        else:
            kind = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_")
            is_signed = kind in ("SINT32", "SINT64", "SFIXED64", "INT32", "INT64")
            number = -field.number if is_signed else field.number
            value = SCALARS.get(kind, 1 if kind == "ENUM" else number)
            if field.is_repeated:
                getattr(message, field.name).extend([value, value])
            else:
                setattr(message, field.name, value)
    return message


def through_c(library, symbol, data):
    """`data` unpacked and packed again by the generated code."""
    descriptor = ctypes.addressof(ctypes.c_char.in_dll(library, symbol))
    message = library.protobuf_c_message_unpack(descriptor, None, len(data), data)
    assert message, "the generated code does not take it"
    try:
        size_bytes = library.protobuf_c_message_get_packed_size(message)
        buffer = ctypes.create_string_buffer(size_bytes + 1)
        assert library.protobuf_c_message_pack(message, buffer) == size_bytes
        return buffer.raw[:size_bytes]
    finally:
        library.protobuf_c_message_free_unpacked(message, None)


@pytest.mark.parametrize("oneof_choice", range(8))
@pytest.mark.parametrize("module, name", ROUND_TRIPS)
def test_messages_survive_the_c_code(library, module, name, oneof_choice):
    message_type = getattr(importlib.import_module(module), name)
    message = fill(message_type(), 7, oneof_choice)
    returned = through_c(library, ROUND_TRIPS[module, name], message.SerializeToString())
    assert message_type.FromString(returned) == message


@pytest.mark.parametrize("value", [None, 0.0, 1.5])
def test_optional_fields_keep_their_presence(library, value):
    metrics = importlib.import_module("opentelemetry.proto.metrics.v1.metrics_pb2")
    point = metrics.HistogramDataPoint(count=1, sum=value, min=value, max=value)
    data = through_c(library, "otlp__histogram_data_point__descriptor", point.SerializeToString())
    returned = metrics.HistogramDataPoint.FromString(data)
    assert returned == point
    assert returned.HasField("sum") == (value is not None)
