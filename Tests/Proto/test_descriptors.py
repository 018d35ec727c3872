# SPDX-License-Identifier: Apache-2.0
"""Goal: proto/ declares exactly what the published packages declare.

Method: both sides are flattened to {path: properties} and compared. Every difference that is meant
to be there is listed below; one that is not, or is listed and gone, fails.
"""

import importlib

from google.protobuf import descriptor_pb2, text_format
import pytest

# Our file -> the module that publishes it.
PUBLISHED = {
    "opentelemetry/proto/common/v1/common.proto": "opentelemetry.proto.common.v1.common_pb2",
    "opentelemetry/proto/resource/v1/resource.proto":
        "opentelemetry.proto.resource.v1.resource_pb2",
    "opentelemetry/proto/trace/v1/trace.proto": "opentelemetry.proto.trace.v1.trace_pb2",
    "opentelemetry/proto/logs/v1/logs.proto": "opentelemetry.proto.logs.v1.logs_pb2",
    "opentelemetry/proto/metrics/v1/metrics.proto": "opentelemetry.proto.metrics.v1.metrics_pb2",
    "opentelemetry/proto/collector/trace/v1/trace_service.proto":
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
    "opentelemetry/proto/collector/logs/v1/logs_service.proto":
        "opentelemetry.proto.collector.logs.v1.logs_service_pb2",
    "opentelemetry/proto/collector/metrics/v1/metrics_service.proto":
        "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2",
    "grpc/health/v1/health.proto": "grpc_health.v1.health_pb2",
    "grpc/reflection/v1alpha/reflection.proto": "grpc_reflection.v1alpha.reflection_pb2",
    "google/rpc/status.proto": "google.rpc.status_pb2",
    "google/rpc/error_details.proto": "google.rpc.error_details_pb2",
    "google/protobuf/any.proto": "google.protobuf.any_pb2",
    "google/protobuf/duration.proto": "google.protobuf.duration_pb2",
}

# Not published for Python: compared with its v1alpha sibling instead.
UNPUBLISHED = {"grpc/reflection/v1/reflection.proto"}

# The Python packages move these files into folders of their own; canonically they are as ours.
PUBLISHED_UNDER = {
    "grpc/health/v1/health.proto": "grpc_health/v1/health.proto",
    "grpc/reflection/v1alpha/reflection.proto": "grpc_reflection/v1alpha/reflection.proto",
}

# Error details that a collector has no use for: published, and left out by us with all they hold.
LEFT_OUT = {
    "google/rpc/error_details.proto": {
        "DebugInfo",
        "ErrorInfo",
        "Help",
        "PreconditionFailure",
        "QuotaFailure",
        "RequestInfo",
        "ResourceInfo",
    },
}


def label(number):
    return descriptor_pb2.FieldDescriptorProto.Label.Name(number)


def kind(number):
    return descriptor_pb2.FieldDescriptorProto.Type.Name(number)


def published_json_names(message):
    """Full field name -> JSON name. The runtime knows it, the published bytes leave it out."""
    names = {field.full_name: field.json_name for field in message.fields}
    for nested in message.nested_types:
        names |= published_json_names(nested)
    return names


def published_file(name):
    """The published FileDescriptorProto, with JSON names filled in."""
    module = importlib.import_module(PUBLISHED[name])
    file = descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    json_names = {}
    for message in module.DESCRIPTOR.message_types_by_name.values():
        json_names |= published_json_names(message)

    def fill(message, prefix):
        full_name = f"{prefix}.{message.name}"
        for field in message.field:
            field.json_name = json_names[f"{full_name}.{field.name}"]
        for nested in message.nested_type:
            fill(nested, full_name)

    for message in file.message_type:
        fill(message, file.package)
    return file


def flatten(file):
    """{path: properties} of everything in a file, except its name."""
    flat = {
        "package": file.package,
        "syntax": file.syntax,
        "imports": sorted(file.dependency),
        "options": str(file.options),
        "extensions": len(file.extension),
    }
    for message in file.message_type:
        flat |= flatten_message(message, message.name)
    for enum in file.enum_type:
        flat |= flatten_enum(enum, enum.name)
    for service in file.service:
        flat[f"service {service.name}"] = str(service.options)
        for method in service.method:
            flat[f"method {service.name}.{method.name}"] = {
                "input": method.input_type,
                "output": method.output_type,
                "client_streaming": method.client_streaming,
                "server_streaming": method.server_streaming,
                "options": str(method.options),
            }
    return flat


def flatten_message(message, path):
    flat = {
        f"message {path}": {
            "reserved_ranges": sorted((item.start, item.end) for item in message.reserved_range),
            "reserved_names": sorted(message.reserved_name),
            "oneofs": [item.name for item in message.oneof_decl],
            "extension_ranges": len(message.extension_range),
            "options": str(message.options),
        }
    }
    for field in message.field:
        in_oneof = field.HasField("oneof_index")
        flat[f"field {path}.{field.name}"] = {
            "number": field.number,
            "type": kind(field.type),
            "label": label(field.label),
            "type_name": field.type_name,
            "oneof": message.oneof_decl[field.oneof_index].name if in_oneof else None,
            "proto3_optional": field.proto3_optional,
            "json_name": field.json_name,
            "options": str(field.options),
        }
    for nested in message.nested_type:
        flat |= flatten_message(nested, f"{path}.{nested.name}")
    for enum in message.enum_type:
        flat |= flatten_enum(enum, f"{path}.{enum.name}")
    return flat


def flatten_enum(enum, path):
    return {
        f"enum {path}": {
            "values": [(value.name, value.number, str(value.options)) for value in enum.value],
            "reserved_ranges": sorted((item.start, item.end) for item in enum.reserved_range),
            "reserved_names": sorted(enum.reserved_name),
            "options": str(enum.options),
        }
    }


def differences(ours, theirs):
    """One line per path that is not the same on both sides."""
    lines = []
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in ours:
            lines.append(f"only published: {path}")
        elif path not in theirs:
            lines.append(f"only ours: {path}")
        elif ours[path] != theirs[path]:
            lines.append(f"differs: {path}: ours {ours[path]}, published {theirs[path]}")
    return lines


def top_level(path):
    """The outermost message or enum of a path such as `field Span.Event.name`."""
    return path.split(" ")[-1].split(".")[0]


def test_every_file_is_compared(files):
    assert files.keys() == PUBLISHED.keys() | UNPUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_file_equals_the_published_one(files, name):
    theirs = published_file(name)
    assert theirs.name == PUBLISHED_UNDER.get(name, name)

    published = flatten(theirs)
    left_out = {path for path in published if top_level(path) in LEFT_OUT.get(name, set())}
    assert {top_level(path) for path in left_out} == LEFT_OUT.get(name, set())
    kept = {path: value for path, value in published.items() if path not in left_out}
    assert differences(flatten(files[name]), kept) == []


def reflection(files, version):
    """The reflection file of a version, its package (also within options) replaced by one name."""
    text = str(files[f"grpc/reflection/{version}/reflection.proto"])
    for separator in "._":
        text = text.replace(f"reflection{separator}{version}", f"reflection{separator}vX")
    return text_format.Parse(text, descriptor_pb2.FileDescriptorProto())


def test_reflection_v1_equals_v1alpha_but_for_its_package(files):
    v1, v1alpha = reflection(files, "v1"), reflection(files, "v1alpha")
    assert (v1.options.deprecated, v1alpha.options.deprecated) == (False, True)
    v1alpha.options.ClearField("deprecated")
    assert v1.package == "grpc.reflection.vX"
    assert differences(flatten(v1), flatten(v1alpha)) == []


# The newest parts, named, so that a published package that loses them is noticed as well.
@pytest.mark.parametrize(
    "name, path, number",
    [
        ("opentelemetry/proto/common/v1/common.proto", "AnyValue.string_value_strindex", 8),
        ("opentelemetry/proto/common/v1/common.proto", "KeyValue.key_strindex", 3),
        ("opentelemetry/proto/resource/v1/resource.proto", "Resource.entity_refs", 3),
        ("opentelemetry/proto/logs/v1/logs.proto", "LogRecord.event_name", 12),
        ("opentelemetry/proto/metrics/v1/metrics.proto", "Metric.metadata", 12),
        ("opentelemetry/proto/trace/v1/trace.proto", "Span.flags", 16),
        ("grpc/health/v1/health.proto", "HealthListResponse.statuses", 1),
    ],
)
def test_newest_fields_are_there(files, name, path, number):
    assert flatten(files[name])[f"field {path}"]["number"] == number


def change(file, message_name, field_name, **values):
    message = next(item for item in file.message_type if item.name == message_name)
    field = next(item for item in message.field if item.name == field_name)
    for key, value in values.items():
        setattr(field, key, value)


# Each of these is the kind of slip that the comparison is there to find.
MUTATIONS = {
    "field number": lambda file: change(file, "Span", "flags", number=17),
    "field type": lambda file: change(file, "Span", "dropped_links_count", type=5),
    "label": lambda file: change(file, "Span", "status", label=3),
    "field name": lambda file: change(file, "Span", "name", name="title"),
    "JSON name": lambda file: change(file, "Span", "trace_id", json_name="traceID"),
    "type name": lambda file: change(file, "Span", "status", type_name=".other.Status"),
    "lost field": lambda file: file.message_type[0].ClearField("field"),
    "lost message": lambda file: file.message_type.pop(),
    "lost reserved range": lambda file: file.message_type[1].ClearField("reserved_range"),
    "enum value": lambda file: setattr(file.enum_type[0].value[1], "number", 254),
    "package": lambda file: setattr(file, "package", "opentelemetry.proto.trace.v2"),
    "import": lambda file: file.dependency.pop(),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_comparison_notices(files, mutation):
    name = "opentelemetry/proto/trace/v1/trace.proto"
    mutated = descriptor_pb2.FileDescriptorProto()
    mutated.CopyFrom(files[name])
    MUTATIONS[mutation](mutated)
    assert differences(flatten(mutated), flatten(published_file(name))) != []


def test_comparison_notices_presence_and_streaming(files):
    metrics, health = (
        "opentelemetry/proto/metrics/v1/metrics.proto",
        "grpc/health/v1/health.proto",
    )
    file = descriptor_pb2.FileDescriptorProto()
    file.CopyFrom(files[metrics])
    change(file, "HistogramDataPoint", "sum", proto3_optional=False)
    assert len(differences(flatten(file), flatten(published_file(metrics)))) == 1

    file.CopyFrom(files[health])
    file.service[0].method[2].server_streaming = False
    assert len(differences(flatten(file), flatten(published_file(health)))) == 1
