"""What test runs report: pytest's JUnit files, and rows for the summary of scripts/run_tiers.py.

PPOBSERVE_ROWS=FILE   rows are appended here, one JSON document a line: a tier may consist of several
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

LINES = 25
"""Of a failure's text, and of a log, the end."""


@dataclass(frozen=True)
class Counts:
    """Tests by outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Row:
    """A line of the summary."""

    tier: str
    counts: Counts
    minutes: float
    log: str
    not_run: str = ""
    """Why nothing was run; empty if something was."""


def counts(junit: Path) -> Counts:
    """The outcomes in a JUnit file; none if there is no such file. An error is a failure."""
    total = Counts()
    for suite in ElementTree.parse(junit).getroot().iter("testsuite") if junit.exists() else ():
        tests, failures, errors, skipped = (int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped"))
        total += Counts(tests - failures - errors - skipped, failures + errors, skipped)
    return total


def failures(junit: Path) -> Iterator[str]:
    """Each failed test of a JUnit file: its name, and the end of what it said."""
    for case in ElementTree.parse(junit).getroot().iter("testcase") if junit.exists() else ():
        for what in case:
            if what.tag in ("failure", "error"):
                yield f"{case.get('classname')}.{case.get('name')}:\n{tail(what.text or what.get('message') or '')}"


def tail(text: str, lines: int = LINES) -> str:
    """The last *lines* of a text."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def append(row: Row) -> None:
    """Add a row to the summary, if there is to be one."""
    if path := os.environ.get("PPOBSERVE_ROWS"):
        with open(path, "a") as rows:
            rows.write(json.dumps(asdict(row)) + "\n")


def rows(path: Path) -> list[Row]:
    """The rows that were appended to a file."""
    documents = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return [Row(**{**document, "counts": Counts(**document["counts"])}) for document in documents]
