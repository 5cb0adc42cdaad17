"""The live tests, again, under other kernels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests import bpftrace_page, support
from tests.vm.conftest import Guests
from vmtest.kernels import KERNELS


def passed(junit: Path) -> int:
    """How many tests ran and were right, by pytest's own report."""
    suites = ElementTree.parse(junit).getroot().iter("testsuite")
    return sum(
        int(s.get("tests", 0)) - sum(int(s.get(k, 0)) for k in ("failures", "errors", "skipped")) for s in suites
    )


def failed(junit: Path) -> str:
    """What the tests that were wrong said: of a long log often only the end is kept, and there another guest talks."""
    cases = ElementTree.parse(junit).getroot().iter("testcase") if junit.exists() else ()
    wrong = ((case, what) for case in cases for what in case if what.tag in ("failure", "error"))
    return "\n\n".join(f"{case.get('classname')}.{case.get('name')}:\n{what.text}" for case, what in wrong)


def figures(lines: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def test_live_tests_pass_under(kernel: str, guests: Guests, figure: Callable[..., None]) -> None:
    guest = guests.finished(kernel)
    results, status = guest.results, guest.process.returncode
    for measured in figures(results / "figures"):
        figure(**measured | {"where": f"kernel {kernel}"})
    assert status == 0, f"in the guest, pytest's exit status was {status}:\n{failed(results / 'junit.xml')}"
    assert passed(results / "junit.xml") > 0
    found = json.loads((results / "support.json").read_text())
    assert support.write(kernel, found), f"what we count on {kernel} has changed: git diff docs/support"
    if "bpftrace" not in KERNELS[kernel].able:
        return  # none of Debian's loads these scripts there
    compared = json.loads((results / "bpftrace.json").read_text())
    assert bpftrace_page.write(kernel, compared), f"bpftrace on {kernel}: git diff docs/bpftrace.md"
