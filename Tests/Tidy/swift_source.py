# SPDX-License-Identifier: Apache-2.0
"""Just enough knowledge of Swift for the checks: where code is, and where a function ends."""

from dataclasses import dataclass
import re


def blank(text):
    """`text` with comments and string literals overwritten by spaces; line breaks stay."""
    out = []
    at = 0
    while at < len(text):
        end = _end_of_comment(text, at) or _end_of_string(text, at)
        if end:
            out.append(re.sub(r"[^\n]", " ", text[at:end]))
            at = end
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def _end_of_comment(text, at):
    if text.startswith("//", at):
        end = text.find("\n", at)
        return len(text) if end < 0 else end
    if not text.startswith("/*", at):
        return None
    depth = 0
    for token in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if token.group() == "/*" else -1
        if depth == 0:
            return token.end()
    return len(text)


OPENING_QUOTE = re.compile(r'(#*)("""|")')


def _end_of_string(text, at):
    opening = OPENING_QUOTE.match(text, at)
    if not opening:
        return None
    pounds, quote = opening.groups()
    closing, escape = quote + pounds, "\\" + pounds
    at = opening.end()
    while at < len(text):
        if text.startswith(closing, at):
            return at + len(closing)
        if text.startswith(escape + "(", at):
            at = _end_of_interpolation(text, at + len(escape))
        elif text.startswith(escape, at):
            at += len(escape) + 1
        else:
            at += 1
    return len(text)


def _end_of_interpolation(text, at):
    """Past the parenthesis that closes the one at `at`."""
    depth = 0
    while at < len(text):
        end = _end_of_comment(text, at) or _end_of_string(text, at)
        if end:
            at = end
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at
    return len(text)


@dataclass(frozen=True)
class Function:
    """A function, initialiser, subscript or computed property that has a body."""

    name: str
    first_line: int
    line_count: int


DECLARATION = re.compile(
    r"(?<![.\w`])(?:func\s+(?P<func>[^\s(<]+)|(?P<init>init|subscript)[?!]?\s*(?=[(<])"
    r"|(?P<deinit>deinit)\b|var\s+(?P<var>\w+))"
)
# What cannot stand between a signature and its body: the next declaration, so there is no body.
NEXT_DECLARATION = re.compile(
    r"(?:func|var|let|init|deinit|subscript|case|typealias|associatedtype|struct|class|enum"
    r"|extension|protocol|static|package|private|fileprivate|mutating|@\w+)\b"
)


def functions(text):
    """The functions in `text`, in order, nested ones included."""
    code = blank(text)
    found = []
    for match in DECLARATION.finditer(code):
        start = _start_of_body(code, match)
        if start is None:
            continue
        end = _end_of_body(code, start)
        first_line = code.count("\n", 0, match.start()) + 1
        line_count = code.count("\n", match.start(), end) + 1
        found.append(Function(match.group(match.lastgroup), first_line, line_count))
    return found


def _start_of_body(code, match):
    """Where the `{` of the declaration stands, or None when it has no body."""
    is_property = match.lastgroup == "var"
    depth = 0
    at = match.end()
    while at < len(code):
        character = code[at]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif depth == 0:
            if character == "{":
                return at
            if character in "};" or (is_property and character in "=\n"):
                return None
            if code[at - 1].isspace() and NEXT_DECLARATION.match(code, at):
                return None
        if depth < 0:
            return None
        at += 1
    return None


def _end_of_body(code, start):
    depth = 0
    for brace in re.compile(r"[{}]").finditer(code, start):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return brace.start()
    return len(code) - 1


IMPORT = re.compile(
    r"^[ \t]*(?:@\w+(?:\([^)\n]*\))?[ \t]+)*(?:(?:public|package|internal|fileprivate|private)"
    r"[ \t]+)?import[ \t]+(?:(?:struct|class|enum|protocol|typealias|func|let|var)[ \t]+)?(\w+)",
    re.MULTILINE,
)


def imports(text):
    """(line number, module) of each import in `text`."""
    code = blank(text)
    return [
        (code.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in IMPORT.finditer(code)
    ]
