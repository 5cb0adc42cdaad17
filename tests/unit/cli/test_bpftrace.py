"""``ppobserve bpftrace``: the list, one script, and names and kernels that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppobserve.cli import bpftrace
from ppobserve.cli.main import main
from ppobserve.model.features import Features

FACTS = Path(__file__).parent.parent.parent / "data" / "facts"
Capture = pytest.CaptureFixture[str]


def for_kernel(kernel: str, *words: str) -> int:
    return main(["bpftrace", *words, "--facts", str(FACTS / f"{kernel}.json")])


def test_without_a_name_the_scripts_are_listed(capsys: Capture) -> None:
    assert for_kernel("7.3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "page_pool_inflight", "page_pool_numa", "page_pool_refill", "page_pool_returns",
    ]  # fmt: skip
    assert not any("not on this kernel" in line for line in lines)
    assert max(map(len, lines)) < 80


def test_the_list_says_what_a_kernel_refuses(capsys: Capture) -> None:
    assert for_kernel("6.18") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("not on this kernel: cannot hook page_pool_refill_alloc_cache: the kernel has no kprobes") == 2


def test_a_script_is_printed_as_it_is_run(capsys: Capture) -> None:
    assert for_kernel("7.3", "page_pool_refill") == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/usr/bin/env bpftrace\n") and script.endswith("}\n") and not script.endswith("\n\n")
    assert "kprobe:page_pool_refill_alloc_cache\n" in script


def test_this_kernel_is_looked_at_when_no_facts_are_given(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpftrace, "gather", lambda: Features(no_btf="this kernel has no type information"))
    assert main(["bpftrace", "page_pool_refill"]) == 1
    assert capsys.readouterr().err.startswith("ppobserve: this kernel has no type information\n")


def test_a_kernel_that_refuses_is_a_sentence(capsys: Capture) -> None:
    assert for_kernel("6.18", "page_pool_numa") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("ppobserve: cannot hook page_pool_refill_alloc_cache: the kernel has no kprobes")


@pytest.mark.parametrize("name", ["nothing", "page_pool_refill.bt", "../abi", ""])
def test_an_unknown_name_is_a_sentence_with_those_that_there_are(name: str, capsys: Capture) -> None:
    status = for_kernel("7.3", name)
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert said.err.startswith(f"ppobserve: there is no script {name!r}\n")
    assert "page_pool_inflight, page_pool_numa, page_pool_refill, page_pool_returns" in said.err


def test_facts_that_are_none_are_a_sentence(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "facts.json"
    path.write_text('{"schema": 1')
    assert main(["bpftrace", "--facts", str(path)]) == 2
    assert "not JSON" in capsys.readouterr().err
