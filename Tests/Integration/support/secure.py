# SPDX-License-Identifier: Apache-2.0
"""Clients that speak TLS: grpcio with certificates, and Python's own ssl for what grpcio would not do."""

import socket
import ssl

import grpc

from support.waiting import PATIENCE_SECONDS


def secure_channel(server, authority, pair=None, name="localhost"):
    """A grpcio channel that trusts `authority`, and shows `pair`."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.certificate.read_bytes(),
        private_key=pair.key.read_bytes() if pair else None,
        certificate_chain=pair.chain if pair else None)
    return grpc.secure_channel(server.endpoint, credentials, options=[
        ("grpc.ssl_target_name_override", name), ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0), ("grpc.max_send_message_length", -1),
        # A connection that is refused is refused; what matters is the first answer.
        ("grpc.initial_reconnect_backoff_ms", 60_000)])


def context(authority, pair=None, protocols=("h2",), oldest=None, newest=None, ciphers=None):
    """What a client of Python's ssl is made from."""
    made = ssl.create_default_context(cafile=str(authority.certificate))
    if protocols:
        made.set_alpn_protocols(list(protocols))
    if ciphers:
        made.set_ciphers(ciphers)  # first, because it says how weak a key may be as well
    if pair:
        made.load_cert_chain(pair.certificate, pair.key)
    if oldest:
        made.minimum_version = oldest
    if newest:
        made.maximum_version = newest
    return made


def connect(port, made, name="localhost", session=None):
    """A TLS connection to `port`, after its handshake; takes `session` up again where the server does."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    try:
        return made.wrap_socket(plain, server_hostname=name, session=session)
    except BaseException:
        plain.close()
        raise


def is_refused(port, made):
    """Whether the server ends the connection instead of speaking HTTP/2.

    With TLS 1.3 a client is through with its handshake before the server has seen its certificate: the alert
    comes where the first bytes are expected.
    """
    try:
        with connect(port, made) as connection:
            return connection.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True
