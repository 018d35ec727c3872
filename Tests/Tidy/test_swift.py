# SPDX-License-Identifier: Apache-2.0
"""Rules for Swift sources that swift-format does not have."""

import re

import pytest

from repository import File, files, report, violations
from swift_source import Function, blank, functions, imports

COLUMN_COUNT_MAX = 100
FUNCTION_LINE_COUNT_MAX = 70


def found_lines(check, path, text):
    return [line for line, _ in check(File(path, text))]


def function_of(line_count):
    return "func a() {\n" + "    b()\n" * (line_count - 2) + "}\n"


# --- the reader itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a // {\nb", "a     \nb"),
        ("a /* { /* } */ { */ b", "a" + " " * 19 + "b"),
        ('a("{") + b', "a(   ) + b"),
        ('a("\\"{") {', "a(     ) {"),
        ('a(#"\\"#) {', "a(     ) {"),
        ('"\\(b("}"))" {', "            {"),
        ('"""\n{ "a"\n""" {', "   \n     \n    {"),
    ],
)
def test_blank_leaves_only_code(text, expected):
    assert blank(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("func a() {}\n", [Function("a", 1, 1)]),
        ("\nfunc a(\n    b: Int = { 1 }()\n) -> [Int]\nwhere B: C {\n}\n", [Function("a", 2, 5)]),
        ("protocol A {\n    func a()\n    var b: Int { get }\n}\n", [Function("b", 3, 1)]),
        ("init?(a: Int) {\n}\n", [Function("init", 1, 2)]),
        ("self.init(a: 1)\nif a {\n}\n", []),
        ("deinit {\n}\n", [Function("deinit", 1, 2)]),
        ("var a = 1\nif b {\n}\n", []),
        ("var a: Int {\n    1\n}\n", [Function("a", 1, 3)]),
        ('func a() {\n    print("}")\n}\n', [Function("a", 1, 3)]),
        ("func a() {\n    func b() {\n    }\n}\n", [Function("a", 1, 4), Function("b", 2, 2)]),
    ],
)
def test_functions_are_found(text, expected):
    assert functions(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("import Base\n", [(1, "Base")]),
        ("\npackage import Base\n", [(2, "Base")]),
        ("@testable import Base\n", [(1, "Base")]),
        ("internal import struct Base.Clock\n", [(1, "Base")]),
        ('// import Base\nlet a = """\nimport Base\n"""\n', []),
    ],
)
def test_imports_are_found(text, expected):
    assert imports(text) == expected


# --- columns ------------------------------------------------------------------------------------


def columns(file):
    if not file.is_swift:
        return
    for number, line in enumerate(file.lines, 1):
        if len(line) > COLUMN_COUNT_MAX:
            yield number, f"{len(line)} columns; at most {COLUMN_COUNT_MAX}"


def test_no_line_is_too_long():
    assert any(file.is_swift for file in files())
    assert not (found := violations(columns)), report(found)


@pytest.mark.parametrize(
    "path, column_count, expected",
    [
        ("a.swift", COLUMN_COUNT_MAX, []),
        ("a.swift", COLUMN_COUNT_MAX + 1, [1]),
        ("a.md", COLUMN_COUNT_MAX + 1, []),
    ],
)
def test_columns_can_fail(path, column_count, expected):
    assert found_lines(columns, path, "a" * column_count + "\n") == expected


# --- function length ----------------------------------------------------------------------------


def function_length(file):
    if not file.is_swift or file.name == "Package.swift":
        return
    for function in functions(file.text):
        if function.line_count > FUNCTION_LINE_COUNT_MAX:
            yield (
                function.first_line,
                f"{function.name} has {function.line_count} lines; at most"
                f" {FUNCTION_LINE_COUNT_MAX}",
            )


def test_no_function_is_too_long():
    assert not (found := violations(function_length)), report(found)


@pytest.mark.parametrize(
    "text, expected",
    [
        (function_of(FUNCTION_LINE_COUNT_MAX), []),
        (function_of(FUNCTION_LINE_COUNT_MAX + 1), [1]),
    ],
)
def test_function_length_can_fail(text, expected):
    assert found_lines(function_length, "Sources/Base/A.swift", text) == expected


# --- constructs ---------------------------------------------------------------------------------

FORBIDDEN = [
    (re.compile(r"\btry!"), "an error must be handled or passed on"),
    (re.compile(r"\bas!"), "a cast that may fail must be checked"),
    (re.compile(r"\bfatalError\b"), "use precondition, or an error"),
    (re.compile(r"\bpublic\b|\bopen (?:class|func|var|subscript)\b"), "nothing is public here"),
    (re.compile(r"@_exported\b"), "import what is used where it is used"),
    (re.compile(r"\bprint\("), "write to the log, or through the command's own output"),
]
# The command writes its results to standard output.
ALLOWED = {("starling", r"\bprint\(")}


def constructs(file):
    if not file.is_swift or not file.is_below("Sources"):
        return
    module = file.path.split("/")[1]
    code = blank(file.text)
    for pattern, sentence in FORBIDDEN:
        if (module, pattern.pattern) in ALLOWED:
            continue
        for match in pattern.finditer(code):
            line = code.count("\n", 0, match.end()) + 1
            yield line, f"{match.group().strip()}: {sentence}"


def test_no_construct_is_forbidden():
    assert not (found := violations(constructs)), report(found)


@pytest.mark.parametrize(
    "path, text, expected",
    [
        ("Sources/Base/A.swift", "let a = try! b()\n", [1]),
        ("Sources/Base/A.swift", "let a = b as! C\n", [1]),
        ("Sources/Base/A.swift", "\nfatalError()\n", [2]),
        ("Sources/Base/A.swift", "\npublic func a() {}\n", [2]),
        ("Sources/Base/A.swift", "open class A {}\nopen = [1]\n", [1]),
        ("Sources/Base/A.swift", "@_exported import Base\n", [1]),
        ("Sources/Base/A.swift", "print(1)\n", [1]),
        ("Sources/starling/A.swift", "print(1)\n", []),
        ("Sources/Base/A.swift", '// try!\nlet a = "try!"\n', []),
        ("Tests/BaseTests/A.swift", "let a = try! b()\n", []),
    ],
)
def test_constructs_can_fail(path, text, expected):
    assert found_lines(constructs, path, text) == expected
