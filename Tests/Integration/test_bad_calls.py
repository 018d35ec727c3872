# SPDX-License-Identifier: Apache-2.0
"""Calls that break gRPC: each gets its status, and a good call on the same connection still works."""

import gzip
import struct

from h2.errors import ErrorCodes
import pytest

from support import otlp
from support.grpcwire import (
    DEADLINE_EXCEEDED, INTERNAL, INVALID_ARGUMENT, PATHS, RESOURCE_EXHAUSTED, UNIMPLEMENTED, Answer, assert_error,
    assert_success, frame, gzipped, headers)
from support.rawcall import assert_serves, call

LIMIT_BYTES = 64 << 20
TRACES = PATHS["traces"]


def message():
    return otlp.request("traces").SerializeToString()


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/x-protobuf", "", None])
def test_wrong_content_type(client, starling, db, content_type):
    answer = call(client, starling, frame(message()), content_type=content_type)
    assert answer.http_status == 415, answer
    assert answer.is_trailers_only and answer.code in (None, INVALID_ARGUMENT), answer
    assert_serves(client, starling, db)


def test_json_over_grpc_is_refused(client, starling, db):
    answer = call(client, starling, frame(b"{}"), content_type="application/grpc+json")
    assert answer.http_status == 415 or answer.code == UNIMPLEMENTED, answer
    assert_serves(client, starling, db)


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "post"])
def test_wrong_method(client, starling, db, method):
    answer = call(client, starling, frame(message()), method=method)
    assert answer.http_status == 405, answer
    assert answer.is_trailers_only and answer.code in (None, INTERNAL), answer
    assert_serves(client, starling, db)


@pytest.mark.parametrize("path", [
    "/", "//", "/v1/traces", "/unknown.Service/Export", TRACES + "/", TRACES + "?query", TRACES.lower(), TRACES[:-1],
    TRACES.replace("Export", "Import"), TRACES.removesuffix("/Export"),
    "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", "/100%/\"é\"", "/" + "x" * 3000])
def test_unknown_path(client, starling, db, path):
    assert_error(call(client, starling, frame(message()), path=path), [UNIMPLEMENTED])
    assert_serves(client, starling, db)


def test_path_without_leading_slash(client, starling, db):
    answer = call(client, starling, frame(message()), path=TRACES[1:])
    assert answer.code == UNIMPLEMENTED or answer.stream.reset_code == ErrorCodes.PROTOCOL_ERROR, answer
    assert_serves(client, starling, db)


@pytest.mark.parametrize("encoding", ["snappy", "zstd", "deflate", "GZIP", "gzip,identity"])
def test_unknown_encoding(client, starling, db, encoding):
    answer = call(client, starling, frame(message(), flag=1), grpc_encoding=encoding)
    assert_error(answer, [UNIMPLEMENTED])
    accepted = answer.headers["grpc-accept-encoding"].replace(" ", "").split(",")
    assert "gzip" in accepted and set(accepted) <= {"gzip", "identity"}
    assert_serves(client, starling, db)


@pytest.mark.parametrize(("flag", "encoding"), [
    (1, None), (1, "identity"), (2, None), (2, "gzip"), (3, "gzip"), (0x80, None), (0xFF, "gzip")])
def test_bad_flag_byte(client, starling, db, flag, encoding):
    assert_error(call(client, starling, frame(message(), flag), grpc_encoding=encoding), [INTERNAL])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("kept", [1, 4, 5, 6, -1])
def test_truncated_message(client, starling, db, kept):
    assert_error(call(client, starling, frame(message())[:kept]), [INTERNAL])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("body", [b"", None], ids=["empty DATA", "no DATA"])
def test_no_message(client, starling, db, body):
    stream_id = client.open(headers(starling.port), end_stream=body is None)
    if body is not None:
        client.send(stream_id, body, end_stream=True)
    assert_error(Answer(client.wait(stream_id)), [UNIMPLEMENTED, INTERNAL])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("second", [frame(b""), b"\x00", b"\x00\x00\x00\x00\x01"], ids=["whole", "byte", "part"])
def test_two_messages(client, starling, db, second):
    assert_error(call(client, starling, frame(message()) + second), [UNIMPLEMENTED, INTERNAL])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 2**31, 2**32 - 1])
def test_length_over_limit_is_refused_from_the_prefix(client, starling, db, size):
    """The answer must come before the body does, and the stream must be given back."""
    answer = call(client, starling, struct.pack(">BI", 0, size) + b"body", end_stream=False)
    assert_error(answer, [RESOURCE_EXHAUSTED])
    client.until(lambda: answer.stream.reset_code is not None, "RST_STREAM after the early answer")
    assert answer.stream.reset_code == ErrorCodes.NO_ERROR
    assert_serves(client, starling, db)


def test_compressed_length_over_limit(client, starling, db):
    answer = call(client, starling, struct.pack(">BI", 1, LIMIT_BYTES + 1), grpc_encoding="gzip", end_stream=False)
    assert_error(answer, [RESOURCE_EXHAUSTED])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 4 * LIMIT_BYTES])
def test_gzip_bomb_of_zeros(client, starling, db, size):
    assert_error(call(client, starling, gzipped(bytes(size)), grpc_encoding="gzip"), [RESOURCE_EXHAUSTED])
    assert_serves(client, starling, db)


def test_zeros_up_to_the_limit_are_inflated_but_no_message(client, starling, db):
    assert_error(call(client, starling, gzipped(bytes(LIMIT_BYTES)), grpc_encoding="gzip"), [INVALID_ARGUMENT])
    assert_serves(client, starling, db)


def corrupt_streams():
    good = gzip.compress(otlp.request("traces").SerializeToString(), mtime=0)
    wrong_sum = bytearray(good)
    wrong_sum[-8] ^= 1
    wrong_size = bytearray(good)
    wrong_size[-1] ^= 1
    wrong_data = bytearray(good)
    wrong_data[len(good) // 2] ^= 0xFF
    return {"empty": b"", "not gzip": b"plain text", "header only": good[:10], "cut": good[:-1], "half": good[:60],
            "checksum": bytes(wrong_sum), "length": bytes(wrong_size), "data": bytes(wrong_data),
            "garbage after": good + b"garbage", "zlib": b"\x78\x9c\x03\x00\x00\x00\x00\x01"}


@pytest.mark.parametrize("name", corrupt_streams())
def test_corrupt_gzip(client, starling, db, name):
    answer = call(client, starling, frame(corrupt_streams()[name], flag=1), grpc_encoding="gzip")
    assert_error(answer, [INTERNAL])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("timeout", ["", "1", "S", "10x", "123456789S", "-1S", "+1S", "1.5S", "1 S", "1s", "S1", "é"])
def test_malformed_timeout(client, starling, db, timeout):
    answer = call(client, starling, frame(message()), grpc_timeout=timeout)
    assert answer.http_status == 400, answer
    assert answer.is_trailers_only and answer.code in (None, INTERNAL), answer
    assert_serves(client, starling, db)


@pytest.mark.parametrize("timeout", ["0S", "0n", "1n"])
def test_timeout_that_has_passed(client, starling, db, timeout):
    answer = call(client, starling, frame(message()), grpc_timeout=timeout)
    if answer.stream.reset_code != ErrorCodes.CANCEL:
        assert_error(answer, [DEADLINE_EXCEEDED])
    assert_serves(client, starling, db)


@pytest.mark.parametrize("timeout", ["99999999H", "99999999S", "60000000u", "99999999n", "10M", "00030S"])
def test_legal_timeouts(client, starling, db, timeout):
    answer = call(client, starling, frame(message()), grpc_timeout=timeout)
    if timeout != "99999999n":  # 0.1 s: whether that suffices is not ours to say
        assert_success(answer)
        assert_serves(client, starling, db, span_count=1)


def test_header_list_too_large(client, starling, db):
    """Beyond 16 KiB: the stream, or at most the connection, is refused; not a byte of it is stored."""
    many = {f"x_padding_{number}": "v" * 1000 for number in range(40)}
    answer = call(client, starling, frame(message()), **many)
    is_reset = answer.stream.reset_code not in (None, ErrorCodes.NO_ERROR)
    assert is_reset or answer.http_status == 431 or answer.code == RESOURCE_EXHAUSTED, answer
    assert_serves(client, starling, db)


def test_metadata_of_a_normal_size_is_fine(client, starling, db):
    answer = call(client, starling, frame(message()), x_many="v" * 3000, x_bin_bin="AAE", authorization="Bearer é",
                  user_agent="test/1.0", grpc_accept_encoding="identity,gzip", x_empty="")
    assert_success(answer)
    assert_serves(client, starling, db, span_count=1)


def test_client_that_breaks_off_in_the_middle(starling, db):
    for kept in (3, 5, 20):
        with starling.client() as gone:
            gone.send(gone.open(headers(starling.port)), frame(message())[:kept])
    with starling.client() as client:
        assert_serves(client, starling, db)


def test_reset_in_the_middle_of_a_message(client, starling, db):
    stream_id = client.open(headers(starling.port))
    client.send(stream_id, frame(message())[:20])
    client.reset(stream_id)
    client.ping()
    assert_serves(client, starling, db)
