# SPDX-License-Identifier: Apache-2.0
"""Rules for every file: licence line, length, words that do not belong into a repository.

Each rule is a function that yields what it finds in one file. It is run over the repository, and,
to show that it can fail, over the examples below it.
"""

import re

import pytest

from repository import File, files, report, violations

LINE_COUNT_MAX = 600
LICENCE = "SPDX-License-Identifier: Apache-2.0"


def found_lines(check, path, text):
    return [line for line, _ in check(File(path, text))]


# --- licence line -------------------------------------------------------------------------------

# What has to come before it: the shebang, and the version line of a package manifest.
FIRST_BY_FORCE = ("#!", "// swift-tools-version:")


def licence_line(file):
    if not file.is_source:
        return
    at = 1 if file.text.startswith(FIRST_BY_FORCE) else 0
    if LICENCE not in "".join(file.lines[at : at + 1]):
        yield at + 1, f"this line must be a comment that says {LICENCE}"


def test_every_source_starts_with_its_licence():
    assert any(file.is_source for file in files())
    assert not (found := violations(licence_line)), report(found)


@pytest.mark.parametrize(
    "path, text, expected",
    [
        ("a.swift", f"// {LICENCE}\nimport Base\n", []),
        ("a.swift", f"\n// {LICENCE}\n", [1]),
        ("a.swift", "", [1]),
        ("a.c", f"/* {LICENCE} */\n", []),
        ("tool", f"#!/bin/bash\n# {LICENCE}\n", []),
        ("tool", "#!/bin/bash\necho\n", [2]),
        ("Package.swift", f"// swift-tools-version: 6.2\n// {LICENCE}\n", []),
        ("Package.swift", "// swift-tools-version: 6.2\n", [2]),
        ("README.md", "# Title\n", []),
    ],
)
def test_licence_line_can_fail(path, text, expected):
    assert found_lines(licence_line, path, text) == expected


# --- length -------------------------------------------------------------------------------------


def length(file):
    is_bound = file.is_source and not file.is_generated
    if is_bound and len(file.lines) > LINE_COUNT_MAX:
        yield LINE_COUNT_MAX + 1, f"{len(file.lines)} lines; at most {LINE_COUNT_MAX}"


def test_no_file_is_too_long():
    assert not (found := violations(length)), report(found)


@pytest.mark.parametrize(
    "path, line_count, expected",
    [
        ("Sources/Base/A.swift", LINE_COUNT_MAX, []),
        ("Sources/Base/A.swift", LINE_COUNT_MAX + 1, [LINE_COUNT_MAX + 1]),
        ("Sources/COTLP/a.c", LINE_COUNT_MAX + 1, []),
        ("docs/a.md", LINE_COUNT_MAX + 1, []),
    ],
)
def test_length_can_fail(path, line_count, expected):
    assert found_lines(length, path, "//\n" * line_count) == expected


# --- white space --------------------------------------------------------------------------------


def white_space(file):
    if file.is_generated:
        return
    for number, line in enumerate(file.lines, 1):
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        if "\t" in line and file.is_source and file.name != "Makefile":
            yield number, "a tab"
    if file.text and not file.text.endswith("\n"):
        yield len(file.lines), "no line break at the end of the file"


def test_white_space_is_clean():
    assert not (found := violations(white_space)), report(found)


@pytest.mark.parametrize(
    "path, text, expected",
    [
        ("a.py", "a\nb\n", []),
        ("a.py", "a \nb\n", [1]),
        ("a.py", "a\n\tb\n", [2]),
        ("Makefile", "a:\n\tb\n", []),
        ("a.py", "a\nb", [2]),
    ],
)
def test_white_space_can_fail(path, text, expected):
    assert found_lines(white_space, path, text) == expected


# --- words --------------------------------------------------------------------------------------

# One letter of each is in brackets, so that this file does not hold the word itself.
FORBIDDEN = [
    (re.compile(r"\bTO[D]O\b|\bFIX[M]E\b|\bX[X]X\b"), "a note to finish it later"),
    (re.compile(r"(?<![\w.])/[w]ork/|/tmp/[c]ontract|/tmp/[w]-"), "a path of somebody's machine"),
    (re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE), "the mark of a merge conflict"),
]


def words(file):
    for pattern, sentence in FORBIDDEN:
        for match in pattern.finditer(file.text):
            yield file.text.count("\n", 0, match.start()) + 1, f"{sentence}: {match.group()}"


def test_no_word_is_forbidden():
    assert not (found := violations(words)), report(found)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a\n// TO" "DO: b\n", [2]),
        ("# FIX" "ME\n", [1]),
        ("see /wo" "rk/main\n", [1]),
        ("https://example.org/wo" "rk/main\n", []),
        ("a\n<<<<<<" "< ours\n", [2]),
        ("TO" "DOs and methods, working\n", []),
    ],
)
def test_words_can_fail(text, expected):
    assert found_lines(words, "docs/a.md", text) == expected


# --- sleeping tests -----------------------------------------------------------------------------

# The one place that may: it asks for a condition again and again, with a deadline.
POLLING = "Tests/Integration/support/waiting.py"
# Sends when it is time to: what it measures, and no test.
PACING = "Tests/Attacks/good_http.py"
SLEEP = re.compile(r"\b(?:u|nano|clock_nano)?sleep\s*\(")


def sleeps(file):
    """A test that sleeps is slow or flaky, and mostly both: wait for the event instead."""
    if not file.is_below("Tests") or not file.is_source or file.path in (POLLING, PACING):
        return
    for match in SLEEP.finditer(file.text):
        yield file.text.count("\n", 0, match.start()) + 1, f"a test that sleeps: {match.group()}"


def test_no_test_sleeps():
    assert not (found := violations(sleeps)), report(found)


@pytest.mark.parametrize(
    "path, text, expected",
    [
        ("Tests/A/a.py", "time.sle" "ep(1)\n", [1]),
        ("Tests/A/A.swift", "\nusle" "ep(1)\n", [2]),
        ("Tests/A/A.swift", "Task.sle" "ep(for: .seconds(1))\n", [1]),
        ("Tests/A/A.swift", "isAsleep()\n", []),
        ("Sources/A/A.swift", "usle" "ep(1)\n", []),
        (POLLING, "time.sle" "ep(1)\n", []),
    ],
)
def test_sleeps_can_fail(path, text, expected):
    assert found_lines(sleeps, path, text) == expected
