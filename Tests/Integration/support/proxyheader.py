# SPDX-License-Identifier: Apache-2.0
"""Headers of the PROXY protocol, version 2, as a proxy sends them."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6, UNSPECIFIED = 0x11, 0x21, 0x00
CRC32C = 0x03


def header(command, transport, rest):
    return SIGNATURE + struct.pack(">BBH", command, transport, len(rest)) + rest


def of(source, port=50_000, fields=b""):
    """A header that says that `source` connects."""
    address = ipaddress.ip_address(source)
    own = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    addresses = address.packed + own.packed + struct.pack(">HH", port, 4317)
    return header(PROXY, TCP4 if address.version == 4 else TCP6, addresses + fields)


def with_checksum(source):
    """The same with a CRC32C in it."""
    plain = of(source, fields=struct.pack(">BHI", CRC32C, 4, 0))
    return plain[:-4] + struct.pack(">I", crc32c(plain))


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF
