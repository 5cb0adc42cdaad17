"""The two tables that declare a hook are all that a hook needs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve.model import hooks
from ppobserve.model.hooks import CATALOGUE, Hook, Level, Rung, Spec
from ppobserve.model.plan import make_plan
from ppobserve.probe import hook_code, program_text
from ppobserve.probe.hook_code import HOOK_CODE, Code, Purpose, in_order, items
from scripts.hooks_page import page
from tests.unit.factories import KERNEL, plan

C = """int made_up_entry(context *ctx)
{
	return 0;
}
"""


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A hook that does not exist, in both tables, and its C."""
    spec = Spec(
        "made_up",  # type: ignore[arg-type]
        "made-up event",
        dict.fromkeys((Rung.FENTRY, Rung.KPROBE), Level.STANDARD),
        lambda features, known: ("page_pool_made_up",),
    )
    monkeypatch.setattr("ppobserve.model.plan.CATALOGUE", (*CATALOGUE, spec))
    monkeypatch.setattr(hooks, "CATALOGUE", (*CATALOGUE, spec))
    monkeypatch.setattr("scripts.hooks_page.CATALOGUE", (*CATALOGUE, spec))
    monkeypatch.setitem(hook_code.HOOK_CODE, "made_up", Code("made_up.c", ("made_up",), {}))
    folder = tmp_path / "bpf"
    for path in program_text.bpf_folder().rglob("*.[ch]"):
        there = folder / path.relative_to(program_text.bpf_folder())
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(path.read_text())
    (folder / "count/made_up.c").write_text(C)
    monkeypatch.setattr(program_text, "bpf_folder", lambda: folder)
    return "made_up"


@pytest.mark.parametrize(("rung", "kind"), [(Rung.FENTRY, "fentry"), (Rung.KPROBE, "kprobe")])
def test_a_hook_that_is_added_to_the_tables_is_planned_compiled_attached_and_documented(
    made_up: str, rung: Rung, kind: str
) -> None:
    chosen = make_plan(KERNEL, Level.STANDARD, forced=rung)
    assert [hook.symbols for hook in chosen.hooks if hook.name == made_up] == [("page_pool_made_up",)]
    assert C in program_text.text(chosen, program_text.tables(KERNEL))
    assert {"kind": kind, "function": "made_up_entry", "event": "page_pool_made_up"} in in_order(chosen, Purpose.COUNT)
    assert program_text.defines(KERNEL, chosen, program_text.tables(KERNEL))["HOOK_MADE_UP"] == 1
    assert "| `made_up` | made-up event |" in page()
    assert made_up not in [hook.name for hook in make_plan(KERNEL, Level.LEAN, forced=rung).hooks]
    assert made_up not in [hook.name for hook in make_plan(KERNEL, Level.FULL, forced=Rung.TRACEPOINT).hooks]


def test_every_hook_has_its_c_and_every_file_its_hook() -> None:
    assert {spec.hook for spec in CATALOGUE} == set(Hook) == HOOK_CODE.keys()
    for purpose in Purpose:
        there = {path.name for path in (program_text.bpf_folder() / purpose.value).glob("*.c")}
        assert there <= {code.file for code in HOOK_CODE.values()}
    assert {code.file for code in HOOK_CODE.values()} == {
        path.name for path in (program_text.bpf_folder() / "count").glob("*.c")
    }


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("rung", Rung)
def test_every_program_of_a_plan_is_in_its_c(rung: Rung, level: Level) -> None:
    chosen = plan(level, rung)
    c = program_text.text(chosen, program_text.tables(KERNEL))
    wanted = in_order(chosen, Purpose.COUNT)
    for item in [*wanted, *hook_code.stand_ins(wanted)]:
        assert re.search(rf"^int {item['function']}\(", c, re.MULTILINE), item


def test_a_hook_of_two_symbols_has_an_item_for_each() -> None:
    (alloc,) = (hook for hook in plan(Level.FULL, Rung.FENTRY).hooks if hook.name == Hook.ALLOC)
    both = replace(alloc, symbols=("one", "two"))
    assert [item["event"] for item in items(both, Purpose.COUNT)] == ["one", "two"]
    assert {item["function"] for item in items(both, Purpose.COUNT)} == {"alloc_entry"}
