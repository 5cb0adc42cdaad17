"""The live tests, again, under other kernels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import bpftrace_page, support
from vmtest import report
from vmtest.kernels import series_of
from vmtest.schedule import Guest, Schedule


def figures(lines: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def test_live_tests_pass_under(
    kernel: str, guests: Schedule, require_run: Callable[[Guest], None], figure: Callable[..., None]
) -> None:
    guest = guests.finished(kernel)
    require_run(guest)
    assert guest.kernel
    results, junit = guest.results, guest.results / "junit.xml"
    for measured in figures(results / "figures"):
        figure(**measured | {"where": guest.title})
    said = "\n\n".join(report.failures(junit)) or guest.errors() or report.tail((results / "log").read_text())
    assert guest.status == 0, f"the exit status of {guest.title} was {guest.status}:\n{said}"
    assert report.counts(junit).passed > 0
    found, compared = results / "support.json", results / "bpftrace.json"
    wrong = support.write(json.loads(found.read_text())) if found.exists() else []
    assert not wrong, "\n".join(wrong)
    if compared.exists():
        the_same_by_bpftrace(series_of(guest.kernel.version), json.loads(compared.read_text()))


def the_same_by_bpftrace(series: str, compared: bpftrace_page.Compared) -> None:
    """What a series was not compared on before is new, and no fault."""
    known = bpftrace_page.knows(series, compared)
    assert bpftrace_page.write(series, compared) or not known, f"bpftrace on {series}: git diff docs/bpftrace.md"
