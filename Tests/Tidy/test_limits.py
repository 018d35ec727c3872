# SPDX-License-Identifier: Apache-2.0
"""The table of limits in docs/security.md is what the daemon has: every limit, with its default."""

import math
import re

import pytest

from repository import ROOT, report

PAPER = ROOT / "docs" / "security.md"
SECTIONS = ("limits", "connections", "http2", "memory", "ring", "spool", "dead_letters")
# Files whose constants and defaults are limits, all of them.
SOURCES = {
    "Sources/HTTP2/HTTP2Settings.swift", "Sources/GRPC/ServerConnection.swift", "Sources/Socket/Connection.swift",
    "Sources/Base/ProxyHeader.swift", "Sources/Socket/EventLoop.swift", "Sources/Base/Limits.swift",
    "Sources/GRPC/Services/HealthService.swift", "Sources/GRPC/Services/ReflectionService.swift",
    "Sources/Rows/RowLimits.swift", "Sources/Web/WebServer.swift", "Sources/Web/ServerTask.swift",
    "Sources/Web/OTLP/OTLPServer.swift", "Sources/Web/OTLP/RequestJudge.swift", "Sources/Web/API/QueryRequest.swift",
    "Sources/TLS/TLSSession.swift", "Sources/TLS/TLSContext.swift", "Sources/TLS/ContextHandle.swift",
    "Sources/TLS/PEMFile.swift", "Sources/Base/Auth/Credentials.swift", "Sources/Base/Auth/RateLimit.swift",
    "Sources/Collector/Auth/TokenTable.swift", "Sources/Collector/Auth/TokenCache.swift",
    "Sources/Collector/Auth/TokenKeeper.swift", "Sources/Collector/Ingest/LargeDecoder.swift",
    "Sources/Postgres/Tokens.swift", "Sources/Query/Stream/ChunkStream.swift", "Sources/Web/API/StreamedBody.swift",
    "Sources/Query/Export/ExportRun.swift", "Sources/Query/Tail/TailQueue.swift"}
# Values that bound nothing, or that configuration replaces, which the table then names instead.
NO_LIMITS = {
    "HTTP2Settings.concurrentStreamsMax", "HTTP2Settings.streamWindowBytes", "HTTP2Settings.connectionWindowBytes",
    "HTTP2Settings.headerListBytesMax", "GRPCSettings.messageSizeBytesMax", "GRPCSettings.deadlineNs",
    "EventLoop.tickNs", "EventLoop.wakeupToken", "EventLoop.listenerToken", "ServerConnection.drainPing",
    "ServerConnection.keepalivePing", "ProxyHeaderReader.signature", "ProxyHeaderReader.fixedSizeBytes",
    "ProxyHeaderReader.checksumField", "HealthService.services", "ReflectionService.services",
    "Limits.decodeStackPerLevelBytes", "spool.directory", "EventLoop.eventCountMax", "EventLoop.pieceSizeBytes",
    "RequestJudge.preflightSeconds", "HTTPLimits.memoryLookTime", "ContextHandle.securityLevel",
    "TLSContext.warningSeconds", "TLSSession.keptCapacityBytes", "RateLimit.amountMax", "TokenKeeper.usePeriodNs",
    "TokenKeeper.readPeriodNs", "TokenTable.countMax"}

TYPE = re.compile(r"^(?:package )?(?:final )?(?:struct|class|enum) (\w+)", re.MULTILINE)
VALUE = re.compile(
    r"^    (?:(?:package )?var|(?:package |private |fileprivate )?static let) (\w+)(?:: \w+)? = ([^\n{]+)$",
    re.MULTILINE)
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
RATE = re.compile(r"RateLimit\(burst: ([\d_]+), intervalNs: ([\d_]+)\)")
PER_SECOND = re.compile(r"RateLimit\.perSecond\(([\d_]+), burst: ([\d_]+)\)")
TIME = re.compile(r"TimeAmount\.(milli)?seconds\(([\d_]+)\)")
CACHE = re.compile(r"Cache\(entryCountMax: ([\d_]+), keySizeBytesMax: ([\d_]+ << \d+)\)")


def defaults_of_keys(yaml):
    """key → default as the shipped file writes it, of the sections that hold limits."""
    section, found = None, {}
    for line in yaml.splitlines():
        if match := re.match(r"(\w+):$", line):
            section = match.group(1)
        elif (match := re.match(r"  #(\w+): (.*)$", line)) and section in SECTIONS:
            found[f"{section}.{match.group(1)}"] = match.group(2)
    return found


def number(text):
    value, *shift = text.replace("_", "").split(" << ")
    return math.prod(map(int, value.split(" * "))) << int(shift[0] if shift else 0)


def shown(name, expression):
    """The value of a Swift expression as the paper writes it."""
    if match := PER_SECOND.fullmatch(expression):
        return f"{number(match[2]):,}, then {number(match[1]):,} per s"
    if match := RATE.fullmatch(expression):
        return f"{number(match[1]):,}, then 1 per {number(match[2]) // 10**9:,} s"
    if match := CACHE.fullmatch(expression):
        return f"{number(match[1]):,}, {number(match[2]) >> 20} MiB"
    if match := TIME.fullmatch(expression):
        return f"{number(match[2])} {'ms' if match[1] else 's'}"
    if not re.fullmatch(r"[\d_]+(?: << \d+| \* [\d_]+)?", expression):
        return expression
    value = number(expression)
    if name.endswith(("Ns", "NsMax")):
        return f"{value // 10**9:,} s" if value % 10**9 == 0 else f"{value // 10**6:,} ms"
    if "Ms" in name:
        return f"{value // 1000} s"
    if name.endswith("Seconds"):
        return f"{value:,} s"
    if "Bytes" in name and value % 1024 == 0:
        return f"{value >> 20} MiB" if value % (1 << 20) == 0 else f"{value >> 10} KiB"
    return f"{value:,}"


def constants_of(source):
    """`Type.name` → value, of one Swift file."""
    types = [(match.start(), match.group(1)) for match in TYPE.finditer(source)]
    found = {}
    for match in VALUE.finditer(source):
        owner = max((entry for entry in types if entry[0] < match.start()), default=None)
        # What begins at 0 is a count, and no limit.
        if owner and re.match(r"[1-9]|RateLimit|Cache|TimeAmount", match.group(2)):
            found[f"{owner[1]}.{match.group(1)}"] = shown(match.group(1), match.group(2))
    return found


def expected():
    found = defaults_of_keys((ROOT / "config/starling.yaml").read_text())
    for path in SOURCES:
        found |= constants_of((ROOT / path).read_text())
    return {name: value for name, value in found.items() if name not in NO_LIMITS}


def rows(paper):
    section = re.search(r"^## Limits$(.*?)^## ", paper, re.MULTILINE | re.DOTALL)
    return {name: (value.strip(), reason.strip()) for name, value, reason in ROW.findall(section.group(1))}


def differences(table, truth):
    yield from (f"`{name}` = {truth[name]} is missing" for name in sorted(truth.keys() - table.keys()))
    yield from (f"`{name}` is no limit of the daemon" for name in sorted(table.keys() - truth.keys()))
    yield from (f"`{name}` is {truth[name]}, not {table[name][0]}"
                for name in sorted(truth.keys() & table.keys()) if truth[name] != table[name][0])
    yield from (f"`{name}` has no reason" for name, (_, reason) in table.items() if not reason)


def test_table_of_limits_is_complete_and_right():
    found = list(differences(rows(PAPER.read_text()), expected()))
    assert not found, report(found)


@pytest.mark.parametrize("source, found", [
    ("struct A {\n    static let sizeBytesMax = 4_096\n}", {"A.sizeBytesMax": "4 KiB"}),
    ("struct A {\n    package var waitNsMax: UInt64 = 5_000_000_000\n}", {"A.waitNsMax": "5 s"}),
    ("struct A {\n    package var a = RateLimit.perSecond(200, burst: 2_000)\n}", {"A.a": "2,000, then 200 per s"}),
    ("struct A {\n    package var a = RateLimit(burst: 20, intervalNs: 5_000_000_000)\n}",
     {"A.a": "20, then 1 per 5 s"}),
    ("struct A {\n    static let countMax = 9\n}\nenum B {\n    static let countMax = 1 << 10\n}",
     {"A.countMax": "9", "B.countMax": "1,024"}),
    ("struct A {\n    let countMax: Int\n    var name = \"\"\n    var count = 0\n}", {}),
    ("struct A {\n    var waitTime = TimeAmount.seconds(10)\n}", {"A.waitTime": "10 s"}),
    ("enum A {\n    static let staleNsMax: UInt64 = 2 * 3_600_000_000_000\n}", {"A.staleNsMax": "7,200 s"}),
    ("enum A {\n    static let idleSeconds: Int64 = 30\n}", {"A.idleSeconds": "30 s"}),
])
def test_constants_are_found(source, found):
    assert constants_of(source) == found


def test_table_check_can_fail():
    truth = {"a.b": "1", "a.c": "2"}
    assert not list(differences({"a.b": ("1", "so"), "a.c": ("2", "so")}, truth))
    wrong = {"a.b": ("1", ""), "a.c": ("3", "so"), "a.d": ("4", "so")}
    assert len(list(differences(wrong, truth))) == 3 and len(list(differences({}, truth))) == 2
