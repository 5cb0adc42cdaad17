"""Facts about a kernel, gathered from files that are not this kernel's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ppobserve.kernel import capabilities, features, machine_code, perf
from ppobserve.kernel.bpf import BpfError
from ppobserve.kernel.features import Paths, gather, lockdown
from ppobserve.model.features import ALLOC, FRAG, OFFSETS, OPTIONAL, REFILL, SLOW, STATE_HOLD, TRACEPOINTS
from ppobserve.model.privileges import USED
from tests.unit.kernel import btf_blob
from tests.unit.kernel.btf_blob import Blob


def structs() -> dict[str, dict]:
    """The members of ``OFFSETS`` as a tree: struct, member, member."""
    tree: dict[str, dict] = {}
    for path in OFFSETS.values():
        inner = tree
        for part in path.split("."):
            inner = inner.setdefault(part, {})
    return tree


def add_struct(blob: Blob, name: str, members: dict[str, dict], places: dict[str, int], path: str, at: int) -> int:
    """A struct and those inside it, each member 16 bytes on; *places* gets every member's offset from the outermost."""
    built = []
    for place, (member, inner) in enumerate(members.items(), 1):
        offset = at + 16 * place
        places[f"{path}.{member}"] = offset
        inner_id = add_struct(blob, f"{path}.{member}", inner, places, f"{path}.{member}", offset) if inner else 1
        built.append((member, inner_id, 128 * place))
    return blob.struct(name, *built)


def kernel_blob() -> tuple[Blob, dict[str, int]]:
    """BTF of a kernel with everything: pools of 128 cached pages, 1024 nodes; and the offsets to be read."""
    blob, places = Blob(), dict[str, int]()
    integer = blob.integer()
    tree = structs()
    for name, members in tree.items():
        if name != "page_pool":
            add_struct(blob, name, members, places, name, 0)
    cache = blob.array(integer, integer, 128)
    pool = tree["page_pool"]
    alloc = blob.struct("pp_alloc_cache", ("count", integer, 0), ("cache", cache, 64))
    inner = {name: add_struct(blob, name, of, places, f"page_pool.{name}", 0) if of else integer
             for name, of in pool.items() if name != "alloc"}  # fmt: skip
    members = [*inner.items(), ("alloc", alloc)]
    blob.struct("page_pool", *((name, index, 8192 * place) for place, (name, index) in enumerate(members)))
    for place, (name, _) in enumerate(members):
        places |= {path: at + 1024 * place for path, at in places.items() if path.startswith(f"page_pool.{name}.")}
        places[f"page_pool.{name}"] = 1024 * place
    places["page_pool.alloc.count"] = 1024 * (len(members) - 1)
    places["page_pool.alloc.cache"] = places["page_pool.alloc.count"] + 8
    blob.struct("zonelist", ("_zonerefs", blob.array(integer, integer, 1024 * 5 + 1), 0))
    blob.enum("zone_type", ZONE_DMA=0, __MAX_NR_ZONES=5)
    blob.function(REFILL, integer)
    blob.function(SLOW[1], integer, integer)
    for name in TRACEPOINTS:
        blob.add(btf_blob.TYPEDEF, f"btf_trace_{name}", integer)
    return blob, places


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    blob, _ = kernel_blob()
    for name, content in {
        "kallsyms": f"ffffffff81000100 t {REFILL}\nffffffff81000230 t {SLOW[1]}\nffffffff81000300 T next\n",
        "cpu/possible": "0-6\n",
        "node/possible": "0-1\n",
        "cpuinfo": "model name\t: AMD EPYC 9654\n",
        "lockdown": "none [integrity] confidentiality\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "btf").write_bytes(blob.bytes())
    return Paths(*(tmp_path / name for name in ("btf", "kallsyms", "cpu", "node", "cpuinfo", "lockdown")))


def test_a_whole_kernel(paths: Paths) -> None:
    facts, (_, places) = gather(paths, attempt=False), kernel_blob()
    assert facts.offsets == {name: places[path] for name, path in OFFSETS.items()}
    assert facts.missing_offsets == ()
    assert (facts.cpus, facts.nodes, facts.emulated, facts.lockdown) == (7, 2, False, "integrity")
    assert (facts.cache_pages, facts.refill_pages, facts.nodes_shift) == (128, 64, 10)
    assert facts.functions == {REFILL: 1, SLOW[1]: 2}
    assert facts.slow_function == SLOW[1]
    assert facts.symbols[REFILL] == (0xFFFFFFFF81000100, 0xFFFFFFFF81000230)
    assert facts.tracepoints == frozenset(TRACEPOINTS)
    assert (facts.no_btf, facts.refusals) == ("", {})


def test_no_btf_is_a_fact_and_not_an_error(paths: Paths) -> None:
    paths.btf.unlink()
    facts = gather(paths, attempt=False)
    assert facts.no_btf.startswith("this kernel has no type information")
    assert (facts.offsets, facts.functions, facts.cache_pages, facts.tracepoints) == ({}, {}, 0, frozenset())
    assert facts.symbols


def test_a_proc_with_processes_only_leaves_facts_unknown(paths: Paths) -> None:
    """Mounted with subset=pid: no cpuinfo, no kallsyms."""
    paths.cpuinfo.unlink()
    paths.kallsyms.unlink()
    facts = gather(paths, attempt=False)
    assert (facts.emulated, facts.symbols, facts.variables) == (False, {}, {})
    assert facts.no_symbols.startswith(f"{paths.kallsyms} does not exist")
    assert facts.functions == {REFILL: 1, SLOW[1]: 2}


def test_symbols_that_are_kept_from_us_are_a_fact_and_not_an_error(paths: Paths) -> None:
    paths.kallsyms.unlink()
    paths.kallsyms.mkdir()
    facts = gather(paths, attempt=False)
    assert facts.no_symbols.startswith(f"cannot read {paths.kallsyms}: Is a directory (")
    assert facts.offsets


def test_what_this_process_may_is_a_fact(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "effective", lambda: 1 << capabilities.BITS["SYSLOG"])
    facts = gather(paths, attempt=False)
    assert facts.capabilities["SYSLOG"] and not facts.capabilities["SYS_ADMIN"]
    assert set(facts.capabilities) <= set(USED)


@pytest.mark.parametrize(
    ("filtered", "number", "why"),
    [
        (True, errno.EPERM, "a seccomp filter denies bpf(2): Operation not permitted"),
        (True, errno.ENOSYS, "a seccomp filter denies bpf(2): Function not implemented"),
        (False, errno.EPERM, "the kernel or a security module denies bpf(2): Operation not permitted"),
        (True, errno.ENOMEM, "the kernel denies bpf(2): Cannot allocate memory"),
        (True, errno.EMFILE, "the kernel denies bpf(2): Too many open files"),
    ],
)
def test_who_denies_bpf_is_a_fact(monkeypatch: pytest.MonkeyPatch, filtered: bool, number: int, why: str) -> None:
    def refuse(**_: int) -> int:
        raise BpfError("cannot create a BPF map", number)

    monkeypatch.setattr(features.bpf, "create_array", refuse)
    monkeypatch.setattr(capabilities, "is_filtered", lambda: filtered)
    assert features._no_bpf() == why


def test_btf_of_a_newer_kernel_says_what_reads_it(paths: Paths) -> None:
    blob = Blob()
    blob.add(77)
    paths.btf.write_bytes(blob.bytes())
    facts = gather(paths, attempt=False)
    assert facts.no_btf == "cannot read the kernel's BTF: it has a type of kind 77, and no layout of that kind"
    assert (facts.no_btf_fix, facts.offsets) == ("a newer ppobserve", {})


@pytest.mark.parametrize(
    ("number", "held", "told"),
    [
        (errno.EACCES, {"SYS_ADMIN": False}, True),
        (errno.EPERM, {"SYS_ADMIN": False}, True),
        (errno.EACCES, {"SYS_ADMIN": True}, False),
        (errno.EACCES, {}, False),
        (errno.ENOENT, {"SYS_ADMIN": False}, False),
    ],
)
def test_a_kprobe_that_takes_one_more_capability_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, held: dict[str, bool], told: bool
) -> None:
    def refuse(function: str) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(perf, "KPROBE_PMU", tmp_path)
    monkeypatch.setattr(perf, "open_kprobe", refuse)
    why = features._try_kprobe("slow", held)
    assert os.strerror(number) in why
    assert ("CAP_SYS_ADMIN" in why) is told


def test_garbage_for_btf_is_a_fact_and_not_an_error(paths: Paths) -> None:
    paths.btf.write_bytes(bytes(64))
    assert "not BTF" in gather(paths, attempt=False).no_btf


def test_a_kernel_without_page_pool_lacks_its_offsets_and_tracepoints(paths: Paths) -> None:
    blob = Blob()
    blob.struct("page", ("flags", blob.integer(), 0))
    paths.btf.write_bytes(blob.bytes())
    facts = gather(paths, attempt=False)
    assert facts.offsets == {"PAGE_FLAGS": 0}
    assert STATE_HOLD not in facts.tracepoints
    assert not OPTIONAL & {name for name, path in OFFSETS.items() if path in facts.missing_offsets}


def test_an_emulated_cpu_is_known(paths: Paths) -> None:
    paths.cpuinfo.write_text("model name\t: QEMU TCG CPU version 2.5+\n")
    assert gather(paths, attempt=False).emulated


@pytest.mark.parametrize(("root", "tried"), [(0, True), (1000, False)])
def test_rungs_are_tried_by_root_only(paths: Paths, monkeypatch: pytest.MonkeyPatch, root: int, tried: bool) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: root)
    monkeypatch.setattr(features, "_try_fentry", lambda *_: "refused")
    monkeypatch.setattr(features, "_try_kprobe", lambda *_: "")
    facts = gather(paths)
    assert facts.root is tried
    assert facts.refusals == ({"fentry": "refused", "kprobe": ""} if tried else {})


@pytest.mark.parametrize(
    ("calls", "allocators"),
    [
        ({ALLOC[0]}, {ALLOC[0]}),
        ({ALLOC[0], ALLOC[2], FRAG[0]}, {ALLOC[0], ALLOC[2], FRAG[0]}),
        (set(), set()),
    ],
)
def test_what_goes_on_to_the_slow_path_itself_allocates(
    monkeypatch: pytest.MonkeyPatch, calls: set[str], allocators: set[str]
) -> None:
    symbols = {name: (64 * at, 64 * at + 61) for at, name in enumerate((SLOW[1], *ALLOC, *FRAG), 1)}
    asked = {symbols[name]: name in calls for name in (*ALLOC, *FRAG)}

    def branches_to(start: int, end: int, target: int) -> bool:
        assert target == symbols[SLOW[1]][0]
        return asked[start, end]

    monkeypatch.setattr(machine_code, "branches_to", branches_to)
    assert features._allocators(symbols) == allocators
    assert features._allocators({}) == frozenset()


def test_where_the_kernel_shows_no_code_nothing_is_known_to_allocate(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> bool:
        raise BpfError("cannot run the BPF program", errno.EPERM)

    monkeypatch.setattr(machine_code, "branches_to", refuse)
    assert features._allocators(dict.fromkeys((*SLOW, *ALLOC), (64, 125))) == frozenset()


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("[none] integrity confidentiality\n", "none"),
        ("none [integrity] confidentiality\n", "integrity"),
        ("none integrity [confidentiality]\n", "confidentiality"),
        ("none\n", ""),
        ("", ""),
    ],
)
def test_lockdown(tmp_path: Path, text: str, mode: str) -> None:
    (tmp_path / "lockdown").write_text(text)
    assert lockdown(tmp_path / "lockdown") == mode


def test_a_kernel_that_does_not_tell_its_lockdown(tmp_path: Path) -> None:
    assert lockdown(tmp_path / "lockdown") == ""
