"""What the documents around the code promise is there: links, make targets, paths, commands, generated pictures."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import architecture_picture, run_tiers

TOP = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
GUIDES = ("CONTRIBUTING.md", "SECURITY.md", "docs/develop/*.md")
"""Documents whose paths are checked. A decision record may name what is no more."""
RECORDS = TOP / "docs" / "adr"
FORMS = TOP / ".github" / "ISSUE_TEMPLATE"
WORKFLOWS = TOP / ".github" / "workflows"

_FENCED = re.compile(r"^ *(```+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_INDENTED = re.compile(r"^ {4,}\S.*$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def tracked(*patterns: str) -> list[Path]:
    """Files that git tracks."""
    command = ["git", "ls-files", "-z", "--", *patterns]
    names = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=60, check=True).stdout
    return [TOP / name for name in names.split("\0") if name and (TOP / name).is_file()]


def anchors(text: str) -> set[str]:
    """The anchors of headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
    return {name if not nth else f"{name}-{nth}" for name, most in found.items() for nth in range(most + 1)}


def links(text: str) -> Iterator[str]:
    """Targets of the relative links of a Markdown text."""
    prose = _SPAN.sub("", _FENCED.sub("", text))
    return (link for link in _LINK.findall(prose) if not re.match(r"[a-z]+:", link))


def broken(path: Path) -> list[str]:
    """The relative links of a Markdown file that lead nowhere."""
    wrong = []
    for link in links(path.read_text()):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            wrong.append(f"{path.name}: {link}")
    return wrong


def code(text: str) -> Iterator[str]:
    """Lines of code of a Markdown text: fenced, indented, and spans in a sentence."""
    for block in _FENCED.finditer(text):
        yield from block[0].splitlines()[1:-1]
    prose = _FENCED.sub("", text)
    yield from (line.strip() for line in _INDENTED.findall(prose))
    yield from (span[1].replace("\n", " ") for span in _SPAN.findall(prose))


def targets(line: str) -> Iterator[str]:
    """The targets that a line of shell asks make for."""
    for command in re.split(r"&&|\|\||[;|]", line):
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # a quote that is none, as in prose
            continue
        while words and re.fullmatch(r"sudo|\w+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["make"]:
            yield from (word for word in words[1:] if re.fullmatch(r"[a-z][a-z0-9-]*", word))


@cache
def made() -> frozenset[str]:
    """The targets of the Makefile."""
    return frozenset(re.findall(r"^([a-z][a-z0-9-]*):", (TOP / "Makefile").read_text(), re.MULTILINE))


def paths(text: str) -> Iterator[str]:
    """Code spans that name a place, from the top of the tree or of the package. A placeholder (SERIES) names none."""
    for _, span in _SPAN.findall(_FENCED.sub("", text)):
        word = span.removeprefix("../")
        if re.fullmatch(r"[\w.-]+/[\w./-]*", word) and word.split("/")[0] in folders() and not _placeholder(word):
            yield word


@cache
def folders() -> frozenset[str]:
    """The folders at the top of the tree, and of the package."""
    places = [path.relative_to(TOP) for path in tracked()]
    inside = [path.relative_to("ppobserve") for path in places if path.parts[0] == "ppobserve"]
    return frozenset(path.parts[0] for path in (*places, *inside) if len(path.parts) > 1)


def is_there(place: str) -> bool:
    return (TOP / place).exists() or (TOP / "ppobserve" / place).exists()


def _placeholder(word: str) -> bool:
    return bool(re.search(r"\b[A-Z]{3,}\b(?!\.md)", word))


def commands(steps: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines that the steps of a workflow run."""
    return (line.strip() for step in steps for line in step.get("run", "").splitlines())


def test_relative_links_lead_somewhere() -> None:
    documents = tracked("*.md")
    assert len(documents) > 30
    assert [wrong for path in documents for wrong in broken(path)] == []


def test_make_targets_in_documents_exist() -> None:
    asked = {target for path in tracked("*.md") for line in code(path.read_text()) for target in targets(line)}
    assert {"demo", "test", "test-quick", "lint", "live-tests", "guests", "bench"} <= asked <= made()


def test_make_targets_in_scripts_exist() -> None:
    """A comment of scripts/vm once asked for a target that was gone."""
    for path in tracked("scripts/*", "vmtest/*.py", "tests/*.py", ".ci/*"):
        spans = (span.strip() for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", path.read_text()))
        assert {target for span in spans for target in targets(span)} <= made(), path


def test_places_in_the_guides_exist() -> None:
    named = [(path.name, place) for path in tracked(*GUIDES) for place in paths(path.read_text())]
    assert len(named) > 40
    assert [(guide, place) for guide, place in named if not is_there(place)] == []


def test_contributing_says_how_to_run_every_tier() -> None:
    text = (TOP / "CONTRIBUTING.md").read_text()
    assert {target for line in code(text) for target in targets(line)} >= {*run_tiers.HOST, *run_tiers.GUESTS}


def test_readme_leads_to_the_guides() -> None:
    found = set(links((TOP / "README.md").read_text()))
    assert {"CONTRIBUTING.md", "docs/develop/architecture.md"} <= found


def test_every_guide_is_linked_from_contributing() -> None:
    found = {(TOP / link).resolve() for link in links((TOP / "CONTRIBUTING.md").read_text())}
    assert {path for path in (TOP / "docs" / "develop").glob("*.md")} <= found


def test_the_picture_of_the_architecture_is_what_its_script_draws() -> None:
    assert architecture_picture.PICTURE.read_text() == architecture_picture.drawing()
    places = [word for box in architecture_picture.BOXES for word in box.note.split(", ") if "/" in word]
    assert len(places) > 6
    assert [place for place in places if not is_there(place)] == []


def test_every_decision_is_listed_and_complete() -> None:
    records = sorted(path for path in RECORDS.glob("*.md") if path.name != "README.md")
    numbers = [int(path.name[:4]) for path in records]
    assert numbers == list(range(1, len(records) + 1))
    assert list(links((RECORDS / "README.md").read_text())) == [path.name for path in records]
    for path in records:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]}: ")
        assert [heading for heading in _HEADING.findall(text)[1:]] == ["Context", "Decision", "Consequences"]
        assert re.search(r"^Status: (accepted|superseded|rejected)", text, re.MULTILINE)
        assert len(text.splitlines()) < 60


def test_the_changelog_has_the_sections_of_its_format() -> None:
    text = (TOP / "CHANGELOG.md").read_text()
    titles = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert titles[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", title) for title in titles[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds


def test_pre_commit_runs_what_lint_runs() -> None:
    config = yaml.safe_load((TOP / ".pre-commit-config.yaml").read_text())
    local = [hook for repo in config["repos"] if repo["repo"] == "local" for hook in repo["hooks"]]
    programs = [hook["entry"].split()[0] for hook in local]
    assert all((BIN / Path(program).name).exists() for program in programs), programs
    linters = set(
        re.findall(r"\$\(BIN\)/([\w-]+)", (TOP / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0])
    )
    assert {Path(program).name for program in programs} == linters
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+", repo["rev"]) for repo in config["repos"] if repo["repo"] != "local")


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_a_workflow_runs_commands_that_exist(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    lines = list(commands(step for job in workflow["jobs"].values() for step in job["steps"]))
    asked = {target for line in lines for target in targets(line)}
    assert {"lint", "unit-tests", "live-tests"} <= asked <= made()
    scripts = {line.split()[0] for line in lines if line.startswith("scripts/")}
    assert scripts
    assert all((TOP / script).is_file() for script in scripts)


def test_a_workflow_asks_for_capabilities_that_tests_know() -> None:
    from tests.conftest import CAPABILITIES

    text = (WORKFLOWS / "ci.yml").read_text()
    asked = {name for found in re.findall(r"PPOBSERVE_EXPECT=(\S+)", text) for name in found.split(",")}
    assert {"tracepoint"} <= asked <= CAPABILITIES


@pytest.mark.parametrize("path", sorted(FORMS.glob("*.yml")), ids=lambda path: path.name)
def test_issue_forms_are_forms(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    if path.name == "config.yml":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert form["name"] and form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["type"] in {"input", "textarea", "dropdown", "checkboxes"} for field in fields)
    assert all(field["attributes"]["label"] for field in fields)


def test_a_bug_report_asks_for_the_facts_of_the_kernel() -> None:
    form = yaml.safe_load((FORMS / "bug.yml").read_text())
    required = {field["id"] for field in form["body"] if field.get("validations", {}).get("required")}
    assert {"expected", "facts", "kernel", "bcc"} <= required
    facts = next(field for field in form["body"] if field.get("id") == "facts")
    command = re.search(r"`sudo ppobserve (check --save-facts) \S+`", facts["attributes"]["description"])
    assert command
    done = subprocess.run(
        [sys.executable, "-m", "ppobserve.cli.main", "check", "--help"],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert command[1].split()[1] in done.stdout


def test_the_package_says_that_it_is_typed() -> None:
    assert (TOP / "ppobserve" / "py.typed").read_bytes() == b""


def test_a_wrong_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One `two`: [three](x.md)\n\n## Again\n\n```\n# no heading\n```\n\n## Again\n")
    page = tmp_path / "page.md"
    good = (
        "there.md",
        "there.md#one-two-three",
        "there.md#again",
        "there.md#again-1",
        "#here",
        "https://example.org/no",
    )
    bad = ("gone.md", "there.md#no-heading", "there.md#again-2", "#nowhere")
    page.write_text("# Here\n\n" + "\n".join(f"[x]({link})" for link in (*good, *bad)) + "\n`[x](code.md)`\n")
    assert broken(page) == [f"page.md: {link}" for link in bad]


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("make", []),
        ("make lint", ["lint"]),
        ("make test-busy TIERS=e2e-tests   # one tier", ["test-busy"]),
        ('make vm ROLE=stable LIVE="attach counts"', ["vm"]),
        ("git clone URL && cd it && sudo make setup-test", ["setup-test"]),
        ("remake lint", []),
    ],
)
def test_targets_are_taken_from_a_command(line: str, asked: list[str]) -> None:
    assert list(targets(line)) == asked
