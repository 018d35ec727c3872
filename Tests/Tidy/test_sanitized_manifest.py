# SPDX-License-Identifier: Apache-2.0
"""The manifest is whole also without what `make test-sanitize` and `make fuzz` leave out or put in."""

import os
import subprocess

import pytest

from repository import ROOT


@pytest.mark.parametrize("variable", ["STARLING_SANITIZE", "STARLING_FUZZ"])
def test_manifest_is_whole(variable, tmp_path):
    result = subprocess.run(
        [os.environ.get("SWIFT", "swift"), "package", "--scratch-path", str(tmp_path), "describe", "--type", "json"],
        cwd=ROOT, env=os.environ | {variable: "1"}, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    assert '"name" : "Fuzz"' in result.stdout
