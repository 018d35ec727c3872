# SPDX-License-Identifier: Apache-2.0
"""Rules between files: what the papers promise exists, and migrations follow one another."""

from pathlib import PurePosixPath
import posixpath
import re
import subprocess

import pytest

from repository import ROOT, File, files, report

MAKE_TARGET = re.compile(r"^([A-Za-z][\w-]*):(?!=)(.*)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
MAKE_COMMAND = re.compile(r"\bmake ([a-z][a-z-]*)\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
MIGRATION = re.compile(r"migrations/(\d{4})_[a-z0-9_]+\.sql")


def text_of(path):
    return next((file.text for file in files() if file.path == path), None)


def papers():
    return [file for file in files() if file.suffix == ".md"]


# --- Makefile -----------------------------------------------------------------------------------


def make_targets(makefile):
    """Name → whether it has a line of help, of each target that is a verb."""
    return {name: "## " in rest for name, rest in MAKE_TARGET.findall(makefile)}


def undocumented_targets(makefile):
    phony = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    found = [f"{name} has no ## help" for name, has in make_targets(makefile).items() if not has]
    found += [f"{name} is not .PHONY" for name in make_targets(makefile).keys() - phony]
    found += [f"{name} is .PHONY, but no target" for name in phony - make_targets(makefile).keys()]
    return found


def test_every_make_target_has_help():
    assert not (found := undocumented_targets(text_of("Makefile"))), report(found)


@pytest.mark.parametrize(
    "makefile, count",
    [
        (".PHONY: run\nrun: build ## Run it.\n", 0),
        (".PHONY: run\nrun: build\n", 1),
        ("run: ## Run it.\n", 1),
        (".PHONY: walk\n", 1),
        ("A := b\n", 0),
    ],
)
def test_target_rule_can_fail(makefile, count):
    assert len(undocumented_targets(makefile)) == count


# --- commands in the papers ---------------------------------------------------------------------


def named_targets(text):
    """What stands after `make` in the code of a paper."""
    return {name for code in CODE.findall(text) for name in MAKE_COMMAND.findall(code)}


def unknown_commands(paper, makefile):
    for name in sorted(named_targets(paper.text) - make_targets(makefile).keys()):
        yield f"{paper.path}: there is no `make {name}`"


def unnamed_targets(text, makefile):
    return sorted(make_targets(makefile).keys() - named_targets(text))


def test_papers_name_commands_that_exist():
    makefile = text_of("Makefile")
    found = [line for paper in papers() for line in unknown_commands(paper, makefile)]
    assert not found, report(found)


def test_readme_names_the_two_commands():
    assert {"run", "test"} <= named_targets(text_of("README.md"))


def test_every_make_target_is_in_a_paper():
    text = text_of("README.md") + text_of("CONTRIBUTING.md")
    assert not (found := unnamed_targets(text, text_of("Makefile"))), report(found)


def test_command_rules_can_fail():
    makefile = "run: ## Run it.\ntest: ## Test it.\n"
    known = File("a.md", "Call `make run` to make progress, or:\n```\nsudo make test\n```\n")
    assert not list(unknown_commands(known, makefile))
    assert not unnamed_targets(known.text, makefile)
    assert list(unknown_commands(File("a.md", "Call `make walk`.\n"), makefile))
    assert unnamed_targets("`make run`", makefile) == ["test"]


# --- links --------------------------------------------------------------------------------------


def broken_links(paper, paths):
    known = set(paths) | {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    for target in LINK.findall(paper.text):
        if re.match(r"[a-z]+:", target):
            continue  # outside, and not ours to test
        path = posixpath.normpath(posixpath.join(posixpath.dirname(paper.path), target))
        if path not in known:
            yield f"{paper.path}: the link to {target} leads nowhere"


def test_links_between_papers_hold():
    paths = [file.path for file in files()]
    found = [line for paper in papers() for line in broken_links(paper, paths)]
    assert not found, report(found)


@pytest.mark.parametrize(
    "link, count",
    [("b.md", 0), ("b.md#part", 0), ("../README.md", 0), ("../config", 0), ("c.md", 1)],
)
def test_link_rule_can_fail(link, count):
    paths = ["README.md", "docs/a.md", "docs/b.md", "config/starling.yaml"]
    assert len(list(broken_links(File("docs/a.md", f"[b]({link})"), paths))) == count


# --- migrations ---------------------------------------------------------------------------------


def migration_faults(paths):
    found = [path for path in paths if not MIGRATION.fullmatch(path)]
    numbers = [int(match.group(1)) for path in paths if (match := MIGRATION.fullmatch(path))]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"the numbers are {numbers}")
    return found


def test_migrations_are_numbered_without_gaps():
    paths = sorted(file.path for file in files() if file.is_below("migrations"))
    assert paths
    assert not (found := migration_faults(paths)), report(found)


@pytest.mark.parametrize("script", ["embed-migrations", "embed-promotion"])
def test_files_in_the_command_are_those_of_the_repository(script):
    result = subprocess.run(
        [ROOT / "scripts" / script, "--check"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "names, count",
    [
        (["0001_a.sql", "0002_b.sql"], 0),
        (["0001_a.sql", "0003_b.sql"], 1),
        (["0002_a.sql"], 1),
        (["0001_a.sql", "0001_b.sql"], 1),
        (["0001_a.sql", "notes.txt"], 1),
    ],
)
def test_migration_rule_can_fail(names, count):
    assert len(migration_faults([f"migrations/{name}" for name in names])) == count
