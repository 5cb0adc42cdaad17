"""The table of docs/bpftrace.md is the one that the test runs made."""

from __future__ import annotations

import json

import pytest

from ppobserve.probe.scripts import templates
from tests import bpftrace_page
from tests.bpftrace_page import BEGIN, END, SCRIPTS, Compared, knows, table, with_table, write


def found() -> dict[str, Compared]:
    documents: dict[str, Compared] = json.loads(bpftrace_page.FOUND.read_text())
    return documents


def test_the_page_has_the_table_of_what_was_found() -> None:
    page = bpftrace_page.PAGE.read_text()
    assert page.count(BEGIN) == page.count(END) == 1
    assert with_table(page, found()) == page


def test_every_script_was_run_somewhere() -> None:
    assert set(SCRIPTS) == set(templates())
    pairs = [scripts for kernels in found().values() for scripts in kernels.values()]
    assert all(any("veth" in pair[name] for pair in pairs) for name in SCRIPTS)


def test_a_row_says_equal_or_runs_or_why_not() -> None:
    outcomes = {"page_pool_refill": "live frames and veth", "page_pool_numa": "", "page_pool_returns": "no such thing"}
    rows = table({"0.17.0": {"6.1": outcomes | {"page_pool_inflight": "veth"}}}).splitlines()
    assert rows[2] == "| 0.17.0 | 6.1 | equal (live frames and veth) | runs | no such thing | equal (veth) |"


def test_what_is_found_again_changes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("docs")
    data, page = folder / "found.json", folder / "page.md"
    data.write_text("{}")
    page.write_text(f"above\n{BEGIN}{END}below\n")
    outcome = dict.fromkeys(SCRIPTS, "")
    kernels = ("6.12", "6.1", "6.1")
    assert [write(kernel, {"0.17.0": outcome}, found=data, page=page) for kernel in kernels] == [False, False, True]
    assert knows("6.1", {"0.17.0": outcome}, found=data)
    assert not knows("7.4", {"0.17.0": outcome}, found=data) and not knows("6.1", {"0.23.2": outcome}, found=data)
    assert [line.split(" | ")[1] for line in page.read_text().splitlines()[4:6]] == ["6.1", "6.12"]
