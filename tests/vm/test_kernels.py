"""The live tests, again, under other kernels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any
from xml.etree import ElementTree

from tests.vm.guest import results_of


def passed(junit: Path) -> int:
    """How many tests ran and were right, by pytest's own report."""
    suites = ElementTree.parse(junit).getroot().iter("testsuite")
    return sum(
        int(s.get("tests", 0)) - sum(int(s.get(k, 0)) for k in ("failures", "errors", "skipped")) for s in suites
    )


def figures(lines: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def test_live_tests_pass_under(kernel: str, guests: dict[str, Popen[bytes]], figure: Callable[..., None]) -> None:
    status = guests[kernel].wait()
    for measured in figures(results_of(kernel) / "figures"):
        figure(**measured | {"where": f"kernel {kernel}"})
    assert status == 0, f"pytest in the guest: exit status {status}, see {results_of(kernel) / 'log'}"
    assert passed(results_of(kernel) / "junit.xml") > 0
