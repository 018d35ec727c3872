# SPDX-License-Identifier: Apache-2.0
"""OTLP messages whose strings are bytes: what Google's parser makes of a request that is not UTF-8."""

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool

from support.otlp import REQUESTS

TYPE_STRING, TYPE_BYTES = (descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
                           descriptor_pb2.FieldDescriptorProto.TYPE_BYTES)


def add(pool, file, names):
    """The file and, before it, what it imports."""
    if file.name in names:
        return
    names.add(file.name)
    for imported in file.dependencies:
        add(pool, imported, names)
    copy = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copy)
    pending = list(copy.message_type)
    while pending:
        message = pending.pop()
        pending.extend(message.nested_type)
        for field in message.field:
            if field.type == TYPE_STRING:
                field.type = TYPE_BYTES
    pool.Add(copy)


def lenient_classes():
    pool, names = DescriptorPool(), set()
    for request in REQUESTS.values():
        add(pool, request.DESCRIPTOR.file, names)
    return {signal: message_factory.GetMessageClass(pool.FindMessageTypeByName(request.DESCRIPTOR.full_name))
            for signal, request in REQUESTS.items()}


# Signal -> request class.
LENIENT = lenient_classes()
