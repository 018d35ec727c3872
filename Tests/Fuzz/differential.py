#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the decoder against Google's protobuf: every input of the decode fuzzers goes through both.

Where both take a request, what the decoder packs again must be what protobuf reads, without the
fields that it does not know. Where one refuses, the reason must be one of `INTENDED`, and a reader
of the wire in this file, which knows nothing but the schema, must find that reason in the bytes.

Run it with the Python of .venv, after Tests/Fuzz/run has built the fuzzers.
"""

import argparse
from collections import Counter
from pathlib import Path
import os
import struct
import subprocess
import sys

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = ROOT / ".build-fuzz"
PROGRAM = SCRATCH / "release/Fuzz"
# In the order of their numbers.
SIGNALS = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}

# What may differ from protobuf, by what a reader of the wire finds.
INTENDED = {
    "utf8": "text that is no UTF-8 costs its item, not the request",
    "group": "groups are refused, also unknown ones",
    "wire type": "a known field of another wire type is refused, not kept as unknown",
    "twice": "a second value of a singular message is refused, not merged",
    "deep": "values nest at most 64 levels",
    "many": "an owner has at most 4,096 attributes",
    "large": "requests that unpack to too much are refused",
    "their depth": "protobuf takes 100 messages inside one another, these values are deeper",
}
ANY_VALUE_DEPTH_MAX = 64
# Messages inside one another that protobuf takes; 64 values are twice as many.
THEIR_DEPTH_MAX = 100
ATTRIBUTE_COUNT_MAX = 4_096


# --- the wire, once more ------------------------------------------------------------------------


class Malformed(Exception):
    pass


class Walk:
    """Collects what is unusual in a message; raises Malformed where it is none."""

    def __init__(self, descriptor, data):
        self.found = set()
        self.message(descriptor, data, 0, 0)

    def message(self, descriptor, data, depth, level):
        if level >= THEIR_DEPTH_MAX:
            self.found.add("their depth")
        if descriptor.name == "AnyValue":
            depth += 1
            if depth > ANY_VALUE_DEPTH_MAX:
                self.found.add("deep")
        at, singulars, pairs = 0, set(), 0
        while at < len(data):
            tag, at = self.varint(data, at, is_prefix=True)
            number, wire = tag >> 3, tag & 7
            if number == 0 or number >= 1 << 29:
                raise Malformed("field number")
            field = descriptor.fields_by_number.get(number)
            value, at = self.value(wire, data, at, number)
            if field is None or value is None:
                continue
            if wire != 2 or field.type in NUMBERS:
                self.number(field, wire, value)
                continue
            if field.type == field.TYPE_STRING:
                self.text(value)
            elif field.type == field.TYPE_MESSAGE:
                if not field.is_repeated:
                    place = field.containing_oneof or field
                    if place.full_name in singulars:
                        self.found.add("twice")
                    singulars.add(place.full_name)
                if field.message_type.name == "KeyValue":
                    pairs += 1
                    if pairs > ATTRIBUTE_COUNT_MAX:
                        self.found.add("many")
                self.message(field.message_type, value, depth, level + 1)

    def number(self, field, wire, value):
        expected = NUMBERS.get(field.type)
        if wire == 2 and expected is not None and field.is_repeated:
            at = 0
            while at < len(value):
                _, at = self.value(expected, value, at, 0)
        elif wire != expected:
            self.found.add("wire type")

    def text(self, value):
        try:
            value.decode()
        except UnicodeDecodeError:
            self.found.add("utf8")

    def value(self, wire, data, at, number):
        """The value at `at` and where it ends; None for a group, which is only skipped."""
        if wire == 0:
            return self.varint(data, at)
        if wire in (1, 5):
            end = at + (8 if wire == 1 else 4)
            if end > len(data):
                raise Malformed("cut")
            return data[at:end], end
        if wire == 2:
            size, at = self.varint(data, at, is_prefix=True)
            if size > len(data) - at:
                raise Malformed("cut")
            return data[at : at + size], at + size
        if wire == 3:
            self.found.add("group")
            return None, self.skip_group(data, at, number)
        raise Malformed("wire type")

    def skip_group(self, data, at, number):
        while at < len(data):
            tag, at = self.varint(data, at, is_prefix=True)
            if tag & 7 == 4:
                if tag >> 3 != number:
                    raise Malformed("group")
                return at
            if tag >> 3 == 0:
                raise Malformed("field number")
            _, at = self.value(tag & 7, data, at, tag >> 3)
        raise Malformed("group without an end")

    def varint(self, data, at, is_prefix=False):
        value = 0
        for index in range(10):
            if at + index >= len(data):
                raise Malformed("cut")
            byte = data[at + index]
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if is_prefix and (index >= 5 or value >= 1 << 32):
                    self.found.add("long")
                    value &= (1 << 32) - 1
                return value, at + index + 1
        raise Malformed("varint")


def number_types():
    field = ExportTraceServiceRequest.DESCRIPTOR.fields[0]
    varints = "INT32 INT64 UINT32 UINT64 SINT32 SINT64 BOOL ENUM".split()
    types = {getattr(field, f"TYPE_{name}"): 0 for name in varints}
    types |= {getattr(field, f"TYPE_{name}"): 1 for name in ("FIXED64", "SFIXED64", "DOUBLE")}
    return types | {getattr(field, f"TYPE_{name}"): 5 for name in ("FIXED32", "SFIXED32", "FLOAT")}


NUMBERS = number_types()


# --- both decoders ------------------------------------------------------------------------------


class Decoder:
    """The decoder of this project, in a process that is asked again and again."""

    def __init__(self):
        environment = {**os.environ, "STARLING_FUZZ_TARGET": "pack"}
        self.process = subprocess.Popen(
            [PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def decode(self, signal, data, is_json=False):
        """Whether it is taken, and the packed export or the words of the refusal."""
        number = list(SIGNALS).index(signal) | (0x10 if is_json else 0)
        self.process.stdin.write(struct.pack(">BI", number, len(data)) + data)
        self.process.stdin.flush()
        verdict, size = struct.unpack(">cI", self.process.stdout.read(5))
        answer = self.process.stdout.read(size)
        return (True, answer) if verdict == b"+" else (False, answer.decode())


def known_part(signal, data):
    """The message without unknown fields, serialised; raises DecodeError."""
    message = SIGNALS[signal].FromString(data)
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)


def reasons(signal, data):
    try:
        return Walk(SIGNALS[signal].DESCRIPTOR, data).found
    except Malformed:
        return {"malformed"}


def compare(decoder, signal, data):
    """A class of outcome, and a sentence where it is not as it should be."""
    is_taken, answer = decoder.decode(signal, data)
    found = reasons(signal, data)
    try:
        theirs = known_part(signal, data)
    except DecodeError:
        theirs = None
    if is_taken and theirs is not None:
        found -= {"their depth"}
        if known_part(signal, answer) != theirs:
            return "both", "the messages differ"
        return "both", None if not found else f"taken in spite of {found}"
    if is_taken:
        is_fine = found and found <= {"utf8", "their depth"}
        return f"we only: {name(found)}", None if is_fine else f"we take it: {found}"
    if theirs is None:
        return "neither", None if found else f"nobody says why: {answer}"
    found -= {"utf8", "their depth"}
    if "unpacks to more" in answer:
        found.add("large")
    is_fine = found and found <= INTENDED.keys()
    return f"they only: {name(found)}", None if is_fine else f"we refuse it: {answer} ({found})"


def name(found):
    return ", ".join(sorted(found)) or "without a reason"


def inputs(target):
    """Files of the corpora, kept or learnt."""
    for folder in (ROOT / "Tests/Fuzz/corpus", ROOT / "Tests/Fuzz/failures", SCRATCH / "corpus"):
        if (folder / target).is_dir():
            yield from (path for path in sorted((folder / target).iterdir()) if path.is_file())


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    decoder = Decoder()
    failures = 0
    for signal in SIGNALS:
        outcomes = Counter()
        for path in inputs(f"decode-{signal}"):
            outcome, fault = compare(decoder, signal, path.read_bytes())
            outcomes[outcome] += 1
            if fault:
                failures += 1
                print(f"{path.relative_to(ROOT)}: {fault}")
        print(f"{signal}: {sum(outcomes.values())} inputs")
        for outcome, count in sorted(outcomes.items()):
            print(f"  {count:8}  {outcome}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
