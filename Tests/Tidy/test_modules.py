# SPDX-License-Identifier: Apache-2.0
"""The module graph: a file imports what Package.swift says that its module may, and nothing else.

SwiftPM lets a file import anything that some dependency happened to build, so the graph has to be
held against the sources.
"""

from dataclasses import dataclass
import json
import subprocess

import pytest

from repository import ROOT, File, files, report
from swift_source import imports

# Which Swift modules may know which C library. CLinux is the system, and everybody's.
FENCE_USERS = {
    "CNghttp2": {"HTTP2"},
    "COpenSSL": {"Rows", "TLS"},
    "CProtobufC": {"Decode", "GRPC"},
    "COTLP": {"Decode", "GRPC"},
    "CLibPQ": {"Postgres"},
    "CZlib": {"GRPC", "Query"},
}
FENCES = {"CLinux", *FENCE_USERS}

# What comes with the toolchain. Foundation costs start-up time, memory and 10 MB of binary, and its
# types allocate: the stations do without.
SYSTEM_MODULES = {"Synchronization"}
SYSTEM_MODULES_OF_TESTS = SYSTEM_MODULES | {"Testing", "Foundation"}


@dataclass(frozen=True)
class Target:
    """One module: whether it serves tests only, and the modules that it names as dependencies."""

    name: str
    is_test: bool
    dependencies: frozenset


def graph_of(package):
    """The targets by name, from the output of `swift package dump-package`."""
    targets = {}
    for target in package["targets"]:
        names = {next(iter(item.values()))[0] for item in target["dependencies"]}
        is_test = target["type"] == "test" or (target.get("path") or "").startswith("Tests/")
        targets[target["name"]] = Target(target["name"], is_test, frozenset(names))
    return targets


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    # A scratch folder of its own: the usual one may be locked by a build.
    scratch = tmp_path_factory.mktemp("swift")
    command = ["swift", "package", "--scratch-path", str(scratch), "dump-package"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return graph_of(json.loads(result.stdout))


def modules_in(target, graph):
    """What the files of `target` may import."""
    own = SYSTEM_MODULES_OF_TESTS if target.is_test else SYSTEM_MODULES
    return own | target.dependencies


def import_violations(sources, graph):
    found = []
    for file in sources:
        folders = file.path.split("/")
        if not file.is_swift or not file.is_below("Sources", "Tests"):
            continue
        target = graph.get(folders[1])
        if target is None:
            found.append(f"{file.path}: {folders[1]} is not a target of Package.swift")
            continue
        for line, module in imports(file.text):
            if module not in modules_in(target, graph):
                found.append(f"{file.path}:{line}: {target.name} may not import {module}")
    return found


def fence_violations(graph):
    found = []
    for target in graph.values():
        if target.is_test or target.name in FENCES:
            continue
        for fence in target.dependencies & FENCE_USERS.keys():
            if target.name not in FENCE_USERS[fence]:
                users = " and ".join(sorted(FENCE_USERS[fence]))
                found.append(f"Package.swift: {fence} belongs to {users}, not to {target.name}")
    for fence, users in FENCE_USERS.items():
        if fence not in graph:
            found.append(f"Package.swift: there is no {fence}")
        for user in users:
            if user in graph and fence not in graph[user].dependencies:
                found.append(f"Package.swift: {user} no longer uses {fence}; correct this check")
    return found


def test_files_import_what_the_graph_allows(graph):
    assert not (found := import_violations(files(), graph)), report(found)


def test_each_library_stays_behind_its_fence(graph):
    assert not (found := fence_violations(graph)), report(found)


def package(**dependencies):
    """What dump-package prints for targets with these dependencies."""
    return {
        "targets": [
            {
                "name": name,
                "type": "test" if name.endswith("Tests") else "regular",
                "dependencies": [{"byName": [module, None]} for module in modules],
            }
            for name, modules in dependencies.items()
        ]
    }


@pytest.mark.parametrize(
    "path, text, is_allowed",
    [
        ("Sources/Copy/A.swift", "package import Base\n", True),
        ("Sources/Copy/A.swift", "package import Postgres\n", False),
        ("Sources/Copy/A.swift", "internal import Synchronization\n", True),
        ("Sources/Copy/A.swift", "internal import Foundation\n", False),
        ("Sources/Copy/A.swift", "internal import Testing\n", False),
        ("Sources/Strange/A.swift", "", False),
        ("Tests/CopyTests/A.swift", "import Testing\n@testable import Copy\n", True),
        ("Tests/CopyTests/A.swift", "import Postgres\n", False),
        ("Tests/Tidy/a.py", "import Postgres\n", True),
    ],
)
def test_import_rule_can_fail(path, text, is_allowed):
    graph = graph_of(package(Base=[], Copy=["Base"], CopyTests=["Copy"]))
    assert (not import_violations([File(path, text)], graph)) == is_allowed


def test_fence_rule_can_fail():
    fences = {name: [] for name in FENCES}
    users = {"HTTP2": ["CNghttp2"], "Rows": ["COpenSSL"], "Postgres": ["CLibPQ"]}
    users |= {"GRPC": ["CZlib", "COTLP", "CProtobufC"], "Decode": ["COTLP", "CProtobufC"]}
    assert not fence_violations(graph_of(package(**fences, **users)))
    assert fence_violations(graph_of(package(**fences, **users, Ring=["CLibPQ"])))
    assert fence_violations(graph_of(package(**fences, **(users | {"Rows": []}))))
    del fences["CZlib"]
    assert fence_violations(graph_of(package(**fences, **users)))
