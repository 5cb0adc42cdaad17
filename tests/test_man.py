"""The manual pages: one for each command, as its parser has it, and as roff that nobody complains about."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ppobserve.cli.main import COMMANDS
from scripts import man_pages
from tests.test_surface import metric_called, named_in

NAMES = ["ppobserve", *(f"ppobserve-{command}" for command in COMMANDS)]
DEMANDED = ["DESCRIPTION", "OVERHEAD", "CAVEATS", "EXAMPLES"]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_what_it_costs_and_where_it_is_wrong(name: str) -> None:
    source = man_pages.FOLDER / f"{name}.md"
    assert source.exists(), f"write {source}"
    sections = man_pages.sections(source.read_text())
    assert [title for title in sections if title in DEMANDED] == DEMANDED
    assert all(len(sections[title].split()) > 1 for title in DEMANDED)


def test_the_pages_are_what_the_parsers_have() -> None:
    made = man_pages.pages()
    assert set(made) == {f"{name}.8" for name in NAMES}
    assert {path.name for path in man_pages.PAGES.iterdir()} == set(made)
    for name, text in made.items():
        assert (man_pages.PAGES / name).read_text() == text, f"{name}: run scripts/man_pages.py"


def test_every_option_is_on_its_page() -> None:
    for name, command in man_pages.subparsers(man_pages.parser()).items():
        text = shown(man_pages.PAGES / f"ppobserve-{name}.8")
        for parser in [command, *man_pages.subparsers(command).values()]:
            for action in parser._actions:
                assert all(option in text for option in action.option_strings if option not in ("-h", "--help")), name


def shown(page: Path) -> str:
    """The words of a page, its roff undone as far as options go."""
    return page.read_text().replace("\\-", "-")


def test_every_metric_that_a_page_names_exists() -> None:
    for path in man_pages.FOLDER.glob("*.md"):
        assert all(metric_called(name) for name, _ in named_in(path.read_text())), path.name


LINTERS = {"mandoc": ["-T", "lint", "-W", "warning"], "groff": ["-man", "-ww", "-z", "-Tutf8"]}


@pytest.mark.parametrize("linter", LINTERS)
def test_nobody_complains_about_a_page(linter: str, require: Callable[..., None]) -> None:
    require(shutil.which(linter), f"{linter} is not installed")
    for path in sorted(man_pages.PAGES.glob("*.8")):
        done = subprocess.run([linter, *LINTERS[linter], path], capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0), path.name


@pytest.mark.parametrize(
    ("prose", "roff"),
    [
        ("a `--b` c", ["a \\fB\\-\\-b\\fR c"]),
        ("a *word* and --this", ["a \\fIword\\fR and \\-\\-this"]),
        (".config is a file", ["\\&.config is a file"]),
        ("`'x'`", ["\\fB\\(aqx\\(aq\\fR"]),
        ("a\\b", ["a\\eb"]),
        ("one\n\ntwo", ["one", ".PP", "two"]),
        ("    a -b\n    .c", [".in +4n", ".nf", "a \\-b", "\\&.c", ".fi", ".in"]),
        ("* `t`: what\n  it is\n* more", [".TP", "\\fBt\\fR", "what", "it is", ".IP \\(bu 2", "more"]),
    ],
)
def test_prose_becomes_roff(prose: str, roff: list[str]) -> None:
    assert list(man_pages.blocks(prose)) == roff
