"""The C of every plan: the right files, no name that nobody defines, no offset that nobody uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppobserve.errors import LoaderError
from ppobserve.model.features import DESTROY, OFFSETS, OPTIONAL, REFILL, RELEASE_RETRY, STATS, UPDATE_NID_FUNCTION
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.trace import Kind, Selection, trace_plan
from ppobserve.probe import program_text
from ppobserve.probe.hook_code import Purpose, files, in_order
from tests.unit.factories import KERNEL, kernel, plan

ON_DEMAND = ["sample/pool.c", "sample/kept.c", "sample/stats.c"]
STANDARD = ["refill", "slow", "release", "return", "create", "teardown"]
BY_TRACEPOINT = ["hold", "release", "return"]
FILES = {
    (Rung.FENTRY, Level.LEAN): ["refill", "slow", "release"],
    (Rung.KPROBE, Level.LEAN): ["refill", "slow", "release"],
    (Rung.TRACEPOINT, Level.LEAN): BY_TRACEPOINT,
    (Rung.FENTRY, Level.STANDARD): [*STANDARD, "update_nid"],
    (Rung.KPROBE, Level.STANDARD): [*STANDARD, "update_nid"],
    (Rung.TRACEPOINT, Level.STANDARD): [*BY_TRACEPOINT, "update_nid"],
    (Rung.FENTRY, Level.FULL): [*STANDARD, "alloc", "fragment", "update_nid"],
    (Rung.KPROBE, Level.FULL): [*STANDARD, "alloc", "fragment", "update_nid"],
    (Rung.TRACEPOINT, Level.FULL): [*BY_TRACEPOINT, "update_nid"],
}

FUNCTION = re.compile(r"^(?:static )?(?:struct )?\w+ \*?(\w+)\([^;]*\)[^;]*$", re.MULTILINE)
BCC = re.compile(r"BPF_|PT_REGS_")
"""Names that BCC brings along."""


def sources() -> list[Path]:
    """All C of ours, without the shim."""
    folder = program_text.bpf_folder()
    return [path for path in folder.rglob("*.[ch]") if "shim" not in path.relative_to(folder).parts]


def text(rung: Rung, level: Level) -> str:
    return program_text.text(plan(level, rung), program_text.tables(KERNEL), audits=True)


def code(c: str) -> str:
    """C without comments, strings and conditions."""
    c = re.sub(r"/\*.*?\*/|//[^\n]*|\"[^\"\n]*\"|'[^'\n]*'", " ", c, flags=re.DOTALL)
    return re.sub(r"^\s*#\s*(ifdef|ifndef|line)\b.*$", "", c, flags=re.MULTILINE)


def taken_by(c: str) -> set[str]:
    """The names that the C takes from outside: not those that it only asks for."""
    return constants(re.sub(r"\bdefined\(\w+\)", "", c)) - provided(c)


def constants(c: str) -> set[str]:
    return set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", code(c)))


INSIDE = re.compile(r"(?<!define )\bINSIDE\(\w+, (\w+)\)")


def glued(c: str) -> tuple[set[str], set[str]]:
    """The names that INSIDE(ip, NAME) glues together, and the second arguments that it makes them of."""
    names = set(INSIDE.findall(code(c)))
    return {f"{name}_{end}" for name in names for end in ("START", "END")}, names


def provided(c: str) -> set[str]:
    """What the C itself defines, as macro or enumerator."""
    enumerators = " ".join(re.findall(r"\benum\s*\{([^}]*)\}", code(c)))
    return set(re.findall(r"#define\s+(\w+)", code(c))) | set(re.findall(r"\w+", enumerators))


@pytest.mark.parametrize(("rung", "level"), FILES)
def test_a_plan_is_compiled_from_a_file_for_each_of_its_hooks_and_what_they_include(rung: Rung, level: Level) -> None:
    counting = [f"count/{name}.c" for name in FILES[rung, level]]
    assert list(program_text.files(plan(level, rung), audits=True)) == [*counting, *ON_DEMAND]
    compiled = re.findall(r'^#line 1 "bpf/(.*)"$', text(rung, level), re.MULTILINE)
    assert sorted(compiled) == sorted(set(compiled))
    assert {*counting, *ON_DEMAND, "config.h", "abi.h", "slot.h"} <= set(compiled)
    assert "_Static_assert(sizeof(struct slot) ==" in text(rung, level)


@pytest.mark.parametrize(("rung", "level"), FILES)
def test_every_name_that_the_c_takes_from_outside_is_defined(rung: Rung, level: Level) -> None:
    c = text(rung, level)
    made, arguments = glued(c)
    taken = {name for name in taken_by(c) - arguments if not BCC.match(name)} | made
    defined = program_text.defines(KERNEL, plan(level, rung), program_text.tables(KERNEL))
    assert taken - set(defined) == set()
    assert bool(made) is ("return" in FILES[rung, level])


def trace_text(rung: Rung, *kinds: Kind) -> str:
    return program_text.unit(files(traced(rung, *kinds), Purpose.TRACE), "")


def traced(rung: Rung, *kinds: Kind) -> Plan:
    return trace_plan(plan(Level.STANDARD, rung), Selection(frozenset(kinds))).plan


TRACE_CHOICES = {"EVENTS", "LIMIT", "STACK", "RING_PAGES", "PAGE_SIZE"}


@pytest.mark.parametrize("rung", Rung)
def test_a_trace_takes_nothing_from_outside_that_is_not_defined(rung: Rung) -> None:
    c = trace_text(rung, *Kind)
    made, arguments = glued(c)
    taken = {name for name in taken_by(c) - arguments if not BCC.match(name)} | made
    defined = program_text.defines(KERNEL, traced(rung, *Kind), program_text.tables(KERNEL))
    assert taken - set(defined) - TRACE_CHOICES == set()


@pytest.mark.parametrize("rung", [Rung.FENTRY, Rung.KPROBE])
def test_a_trace_of_mismatches_alone_leaves_beginning_and_end_of_pools_out(rung: Rung) -> None:
    assert "trace/teardown.c" in files(traced(rung, Kind.RETURN), Purpose.TRACE)
    assert "trace/create.c" in files(traced(rung, Kind.CREATE), Purpose.TRACE)
    assert files(traced(rung, Kind.MISMATCH), Purpose.TRACE) == ["trace/refill.c", "trace/return.c"]
    defined = program_text.defines(KERNEL, traced(rung, Kind.MISMATCH), program_text.tables(KERNEL))
    assert "HOOK_REFILL" in defined
    assert not {"HOOK_SLOW", "HOOK_CREATE"} & set(defined)


def test_no_function_has_two_bodies_chosen_by_a_list_of_files() -> None:
    found: dict[str, set[str]] = {}
    for path in sources():
        for name in FUNCTION.findall(path.read_text()):
            found.setdefault(name, set()).add(str(path))
    assert {"reason_by_state", "created_pool", "begin_teardown", "trace_page_returned", "page_returned"} <= found.keys()
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("rung", Rung)
def test_everything_that_a_trace_attaches_is_in_its_c(rung: Rung) -> None:
    c = trace_text(rung, *Kind)
    for item in in_order(traced(rung, *Kind), Purpose.TRACE):
        assert f"int {item['function']}(" in c, item


DEMANDED = re.compile(r"^#ifndef (\w+)|\bdefined\((\w+)\)", re.MULTILINE)
LISTED = re.compile(r"^ \* ([A-Z][A-Z_]+(?:, [A-Z_]+)*)  +\S", re.MULTILINE)


def test_config_h_lists_every_macro_that_is_passed_and_no_other() -> None:
    c = (program_text.bpf_folder() / "config.h").read_text()
    demanded = {name for found in DEMANDED.findall(c) for name in found if name}
    listed = {name for names in LISTED.findall(c) for name in names.split(", ")}
    passed = {*OPTIONAL, "SYSTEM_RECYCLE_STATS", "PER_CPU_OFFSET", *TRACE_CHOICES, "ONLY_NETDEVS", "ONLY_NODES"}
    for rung, level in FILES:
        defined = program_text.defines(KERNEL, plan(level, rung), program_text.tables(KERNEL))
        assert demanded <= set(defined)
        passed |= {name for name in defined if not name.startswith("HOOK_")}
    inlined = {"INLINED_REFILL", "FRAG_ALLOCATES", "CREATE_PERCPU"}
    assert demanded | listed == passed | inlined


def test_a_macro_that_is_missing_is_an_error_by_its_name() -> None:
    c = (program_text.bpf_folder() / "config.h").read_text()
    for first, second in DEMANDED.findall(c):
        assert re.search(rf'^#error ".*\b{first or second}\b.* is missing"$', c, re.MULTILINE)


def test_no_offset_is_asked_of_a_kernel_for_nothing() -> None:
    used = set().union(*(constants(text(rung, level)) for rung, level in FILES))
    assert set(OFFSETS) - used == set()


def test_what_a_kernel_may_lack_is_used_under_a_condition_only() -> None:
    for name in OPTIONAL:
        asking = rf"^#(?:ifdef|if )[^\n]*\b{name}\b.*?^#endif"
        for path in sources():
            outside = re.sub(asking, "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
            left_out = (name == "PP_RELEASE_DW" and path.name == "teardown.c") or (
                name in STATS and path.name == "stats.c"
            )
            assert left_out or name not in constants(outside), f"{path.name} uses {name} without asking"


@pytest.mark.parametrize("rung", Rung)
def test_without_release_dw_the_files_that_use_it_are_left_out(rung: Rung) -> None:
    offsets = {name: offset for name, offset in KERNEL.offsets.items() if name != "PP_RELEASE_DW"}
    chosen = make_plan(kernel(offsets=offsets), Level.STANDARD, forced=rung)
    assert "count/teardown.c" not in program_text.files(chosen)


def test_the_kernels_own_counters_are_read_where_it_has_them() -> None:
    assert "sample/stats.c" in program_text.files(plan(), audits=True)
    assert "sample/stats.c" not in program_text.files(plan())


def test_mismatches_are_seen_from_the_ring_only_where_returns_are_not_hooked() -> None:
    for rung, level in FILES:
        defined = program_text.defines(KERNEL, plan(level, rung), program_text.tables(KERNEL))
        assert ("MISMATCH_FROM_RING" in defined) is (level is Level.LEAN)


def test_only_level_lean_by_trampoline_sees_a_refill_by_its_exit() -> None:
    by_exit = [
        (rung, level)
        for rung, level in FILES
        if "REFILL_BY_EXIT" in program_text.defines(KERNEL, plan(level, rung), program_text.tables(KERNEL))
    ]
    assert by_exit == [(Rung.FENTRY, Level.LEAN)]


def test_values_of_the_defines() -> None:
    defined = program_text.defines(KERNEL, plan(), program_text.tables(KERNEL))
    assert defined["PP_NID"] == KERNEL.offsets["PP_NID"]
    assert (defined["CPUS"], defined["NODES"]) == (4, 2)
    hooks = {f"HOOK_{hook.name.upper()}" for hook in plan().hooks}
    assert {name for name in defined if name.startswith("HOOK_")} == hooks
    assert (defined["NODES_SHIFT_IN_FLAGS"], defined["NODES_MASK"]) == (54, 1023)
    assert (defined["CACHE_PAGES"], defined["RING_STRETCH"]) == (128, 512)


CALLERS = {"REFILL": REFILL, "DESTROY": DESTROY, "RELEASE_RETRY": RELEASE_RETRY, "UPDATE_NID": UPDATE_NID_FUNCTION}


@pytest.mark.parametrize(("name", "function"), CALLERS.items())
def test_where_a_stack_s_callers_are(name: str, function: str) -> None:
    defined = program_text.defines(KERNEL, plan(), program_text.tables(KERNEL))
    start, end = KERNEL.symbols[function]
    assert (defined[f"{name}_START"], defined[f"{name}_END"]) == (f"{start}ULL", f"{end}ULL")
    symbols = {other: place for other, place in KERNEL.symbols.items() if other != function}
    features = kernel(symbols=symbols)
    defined = program_text.defines(features, plan(), program_text.tables(features))
    assert (defined[f"{name}_START"], defined[f"{name}_END"]) == ("0ULL", "0ULL")


def test_the_callers_that_a_stack_is_searched_for_are_these() -> None:
    assert glued(text(Rung.TRACEPOINT, Level.STANDARD))[1] == set(CALLERS)


def test_a_flush_is_noted_where_functions_are_hooked_and_no_stack_is_looked_at() -> None:
    for rung, level in FILES:
        defined = program_text.defines(KERNEL, plan(level, rung), program_text.tables(KERNEL))
        assert ("REASON_BY_STATE" in defined) is (rung is not Rung.TRACEPOINT)


def test_on_a_kernel_without_numa_every_page_is_on_node_0() -> None:
    features = kernel(nodes_shift=0, nodes=1)
    defined = program_text.defines(features, plan(), program_text.tables(features))
    assert (defined["NODES_SHIFT_IN_FLAGS"], defined["NODES_MASK"]) == (0, 0)


def test_a_big_machine_shares_the_cells_of_its_last_nodes() -> None:
    assert program_text.tables(kernel(nodes=64, cpus=256)).nodes == 16


def test_missing_bpf_sources_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program_text, "_PACKAGE", tmp_path / "ppobserve")
    with pytest.raises(LoaderError) as caught:
        program_text.bpf_folder()
    assert caught.value.what.startswith("the BPF sources are missing")
    assert caught.value.fix == "reinstall ppobserve"


def test_a_wheel_s_own_sources_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("ppobserve/_bpf", "bpf"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "abi.h").touch()
    monkeypatch.setattr(program_text, "_PACKAGE", tmp_path / "ppobserve")
    assert program_text.bpf_folder() == tmp_path / "ppobserve/_bpf"


def test_the_shim_is_where_bcc_is_told_to_look() -> None:
    assert (program_text.shim_folder() / "include/linux/kconfig.h").is_file()
