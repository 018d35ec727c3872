# SPDX-License-Identifier: Apache-2.0
"""The deliberate breaks of Tests/Faults exist in debug builds only: each use stands between #if DEBUG and #endif."""

import re

import pytest

from repository import File, files, report, violations

NAME = re.compile(r"\bTestBreak\b|STARLING_TEST_BREAK")
DIRECTIVE = re.compile(r"\s*#(if|elseif|else|endif)\b\s*(.*)")


def breaks(file):
    if not file.is_swift or not file.is_below("Sources"):
        return
    conditions = []  # of the #if that a line stands in; None where only other builds see it
    for number, line in enumerate(file.lines, 1):
        directive = DIRECTIVE.match(line)
        if directive:
            word, condition = directive.groups()
            if word == "if":
                conditions.append(condition.strip())
            elif word == "endif":
                conditions.pop()
            else:
                conditions[-1] = None
        elif NAME.search(line) and "DEBUG" not in conditions:
            yield number, "a deliberate break must stand between #if DEBUG and #endif"


def test_every_break_is_for_debug_builds_only():
    assert any("TestBreak.isOn" in file.text for file in files() if file.is_below("Sources"))
    assert not (found := violations(breaks)), report(found)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("#if DEBUG\n    TestBreak.isOn(.a)\n#endif\n", []),
        ("    #if DEBUG\n        if a {\n            TestBreak.isOn(.a)\n        }\n    #endif\n", []),
        ("#if DEBUG\n#if os(Linux)\nTestBreak.isOn(.a)\n#endif\n#endif\n", []),
        ("TestBreak.isOn(.a)\n", [1]),
        ("#if DEBUG\n#endif\nTestBreak.isOn(.a)\n", [3]),
        ("#if DEBUG\n#else\nTestBreak.isOn(.a)\n#endif\n", [3]),
        ("#if !DEBUG\nTestBreak.isOn(.a)\n#endif\n", [2]),
        ("#if DEBUG || os(Linux)\nTestBreak.isOn(.a)\n#endif\n", [2]),
        ('let a = "STARLING_TEST_BREAK"\n', [1]),
    ],
)
def test_breaks_can_fail(text, expected):
    assert [line for line, _ in breaks(File("Sources/Base/A.swift", text))] == expected
