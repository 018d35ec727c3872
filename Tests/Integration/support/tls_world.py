# SPDX-License-Identifier: Apache-2.0
"""A daemon with TLS on listen.grpc, its authority, and its metrics without TLS."""

from conftest import Export
from support import otlp
from support.api import api_settings
from support.certificates import Authority
from support.secure import is_refused, secure_channel
from support.waiting import eventually

FAILURES = "starling_tls_handshake_failures_total"


class World:
    """`settings` are keys below `tls.`; `authority` is made in `folder`."""

    def __init__(self, folder, start_server, database, **settings):
        self.authority = Authority(folder)
        self.server_pair = self.authority.server()
        given, self.api = api_settings(**{
            "tls.certificate_file": self.server_pair.certificate, "tls.key_file": self.server_pair.key,
            "tls.listeners": "grpc", **{f"tls.{key}": value for key, value in settings.items()}})
        self.starling = start_server(database, given)

    def count(self, name):
        return self.api.metrics()[name]

    def failures(self, reason):
        return self.count(f'{FAILURES}{{reason="{reason}"}}')

    def assert_refused(self, made, reason, pair=None):
        """A client of `made` is turned away, and counted under `reason`; one that shows `pair` is served."""
        before = self.failures(reason)
        assert is_refused(self.starling.port, made)
        eventually(lambda: self.failures(reason) == before + 1, f"one more failure of kind {reason}")
        self.assert_serves(pair)

    def assert_serves(self, pair=None):
        with secure_channel(self.starling, self.authority, pair) as channel:
            assert Export(channel)(otlp.request("traces")).SerializeToString() == b""
