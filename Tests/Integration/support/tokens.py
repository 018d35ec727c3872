# SPDX-License-Identifier: Apache-2.0
"""Tokens as an operator makes them, and as clients send them."""

import json

from support.daemon import run
from support.otlp import unique
from support.waiting import eventually


class Tokens:
    """The verb `starling token` on one database. Names count up, so that no two tests have the same."""

    def __init__(self, binary, database):
        self.binary = binary
        self.database = database

    def run(self, *arguments, status=0):
        result = run(self.binary, "token", *arguments, environment=self.database.environment)
        assert result.returncode == status, f"{arguments}: {result.stdout}{result.stderr}"
        return result

    def create(self, *options, name=None):
        """The fields of a new token, the secret among them."""
        name = name or f"token {unique()}"
        return json.loads(self.run("create", "--json", "--name", name, *options).stdout)

    def secret(self, *options):
        return self.create(*options)["token"]

    def list(self):
        return json.loads(self.run("list", "--json").stdout)

    def revoke(self, name):
        return json.loads(self.run("revoke", "--json", name).stdout)


def bearer(secret):
    """What a gRPC client sends beside its message."""
    return [("authorization", f"Bearer {secret}")]


def wait_for_list(api, db, **headers):
    """Returns once the daemon goes by the list of tokens that the database has now."""
    (stamp,) = db.execute("SELECT stamp FROM otel_token_changes").fetchone()
    eventually(lambda: api.metrics(**headers)["starling_tokens_stamp"] >= stamp, f"the list of stamp {stamp}")
