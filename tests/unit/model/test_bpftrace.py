"""The bpftrace scripts: small, explained, and filled in whole for every kernel whose facts we have."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve.errors import NotObservable
from ppobserve.model.bpftrace import PLACEHOLDER, filled, summary
from ppobserve.model.facts import from_facts
from ppobserve.model.features import REFILL, Features
from ppobserve.probe.scripts import templates

FACTS = Path(__file__).parent.parent.parent / "data" / "facts"
KERNELS = sorted(path.stem for path in FACTS.glob("*.json"))
SCRIPTS = templates()
HOOK_REFILLS = {"page_pool_refill", "page_pool_numa"}
LINES = 60


def recorded(kernel: str) -> Features:
    path = FACTS / f"{kernel}.json"
    return from_facts(json.loads(path.read_text()), str(path)).features


def why_refused(name: str, features: Features) -> str:
    """Empty where the script was filled in."""
    try:
        script = filled(SCRIPTS[name], features)
    except NotObservable as error:
        return error.what
    assert PLACEHOLDER.search(script) is None
    return ""


def test_there_are_four() -> None:
    assert set(SCRIPTS) == HOOK_REFILLS | {"page_pool_returns", "page_pool_inflight"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_small_and_says_what_it_does_what_it_costs_and_how_it_ends(name: str) -> None:
    lines = SCRIPTS[name].splitlines()
    assert len(lines) < LINES
    assert max(map(len, lines)) <= 120
    header = SCRIPTS[name].partition("*/")[0]
    assert lines[0] == "#!/usr/bin/env bpftrace" and lines[2] == "/*"
    assert summary(SCRIPTS[name]).endswith(".")
    assert re.search(r"^ \* Cost: .* \(~@\w+_NS@ .*once per ", header, re.MULTILINE)
    assert re.search(r"^ \* Ends: Ctrl-C", header, re.MULTILINE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_map_that_is_printed_is_explained(name: str) -> None:
    header, _, program = SCRIPTS[name].partition("*/")
    scratch = set(re.findall(r"clear\((@\w+)\)", program))
    written = set(re.findall(r"(@[a-z_]+)\[", program))
    assert written == scratch | set(re.findall(r"^ \*   (@[a-z_]+)\b", header, re.MULTILINE))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_recorded_kernel_gets_the_whole_script_or_a_reason(name: str, kernel: str) -> None:
    refused = why_refused(name, recorded(kernel))
    if name in HOOK_REFILLS and kernel in ("5.4", "5.5"):
        assert refused == f"kallsyms has no {REFILL} to hook"
    elif name in HOOK_REFILLS and kernel == "6.18":
        assert refused == f"cannot hook {REFILL}: the kernel has no kprobes (CONFIG_KPROBES is off)"
    else:
        assert refused == ""


@pytest.mark.parametrize(
    ("kernel", "field", "pool", "pfmemalloc"),
    [
        ("5.4", "page", "[$pool]", "*(int64 *)($page + 32) == -1"),
        ("5.10", "page", "[$pool]", "*(int64 *)($page + 32) == -1"),
        ("6.1", "page", "[$pool]", "*(uint64 *)($page + 8) & 2"),
        ("6.12", "netmem", "[*(uint32 *)($pool + 1644)]", "*(uint64 *)($page + 8) & 2"),
        ("7.3", "netmem", "[*(uint32 *)($pool + ", "*(uint64 *)($page + 8) & 2"),
    ],
)
def test_what_differs_between_kernels(kernel: str, field: str, pool: str, pfmemalloc: str) -> None:
    returns = filled(SCRIPTS["page_pool_returns"], recorded(kernel))
    assert f"$page = (uint64)args->{field};" in returns
    assert f"}} else if ({pfmemalloc}) {{" in returns
    assert f"@inflight{pool}" in filled(SCRIPTS["page_pool_inflight"], recorded(kernel))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_whose_it_is(name: str) -> None:
    assert "\n * For:  kernel 6.1.0-50-amd64 and" in filled(SCRIPTS[name], recorded("6.1"))


def test_a_release_from_a_file_does_not_get_out_of_its_comment() -> None:
    forged = replace(recorded("6.1"), kernel='6.1 */ BEGIN { system("reboot"); } /*\n')
    for template in SCRIPTS.values():
        script = filled(template, forged)
        assert "system(" not in script
        assert script.splitlines()[:2] == template.splitlines()[:2] and script.count("*/") == template.count("*/")


def test_offsets_and_the_place_of_the_node_are_the_kernels() -> None:
    numa = filled(SCRIPTS["page_pool_numa"], recorded("6.12"))
    assert "$page_node = (*(uint64 *)($page + 0) >> 54) & 1023;" in numa
    assert "$nid = *(int32 *)($pool + 8);" in numa


def test_the_end_of_a_pool_has_its_old_name_on_an_old_kernel() -> None:
    assert "tracepoint:page_pool:page_pool_inflight\n" in filled(SCRIPTS["page_pool_inflight"], recorded("5.4"))


@pytest.mark.parametrize(
    ("lacks", "what"),
    [
        ({"no_btf": "no type information"}, "no type information"),
        ({"offsets": {}, "tracepoints": frozenset()}, "this kernel has no page_pool"),
        ({"offsets": {"PP_ALLOC_COUNT": 8}}, "this kernel's structs lack page_pool.p.nid"),
        ({"tracepoints": frozenset({"page_pool_state_hold"})}, "the kernel has no tracepoint page_pool_state_release"),
    ],
)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_kernel_without_what_a_script_needs_is_refused(name: str, lacks: dict[str, object], what: str) -> None:
    assert what in why_refused(name, replace(recorded("7.3"), **lacks))  # type: ignore[arg-type]


def test_a_placeholder_that_nobody_knows_is_not_passed_on() -> None:
    with pytest.raises(KeyError, match="PP_NOTHING"):
        filled("@PP_NID@ @PP_NOTHING@ @batches[cpu]", recorded("7.3"))


def test_what_was_not_tried_is_not_refused() -> None:
    """Without root nobody has tried a kprobe, and addresses are hidden: a script needs neither."""
    hidden = {name: (0, 0) for name in recorded("7.3").symbols}
    assert why_refused("page_pool_refill", replace(recorded("7.3"), root=False, refusals={}, symbols=hidden)) == ""


def test_a_tracepoint_that_only_a_script_wants_is_looked_for_too() -> None:
    with pytest.raises(NotObservable, match="no tracepoint page_pool_update_nid"):
        filled("tracepoint:page_pool:page_pool_update_nid {}", recorded("5.4"))
