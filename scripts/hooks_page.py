"""Writes docs/hooks.md from the two tables that declare a hook. `tests/test_surface.py` says when it was forgotten.

.venv/bin/python scripts/hooks_page.py
"""

from __future__ import annotations

from pathlib import Path

from ppobserve.model.hooks import CATALOGUE, COST_NS, STACK_NS, Rung, Spec
from ppobserve.probe.hook_code import HOOK_CODE

PAGE = Path(__file__).parent.parent / "docs" / "hooks.md"

HEAD = """# Hooks

Made by `scripts/hooks_page.py` from `ppobserve/model/hooks.py` and `ppobserve/probe/hook_code.py`: change it there, as
[add a hook](develop/add-a-hook.md) explains.

A hook is a place in the kernel where ppobserve counts.
The columns of the rungs name the lowest level that has the hook, or
`-` if none has it. `ppobserve check` prints the symbols on this kernel, the cost, and why a better rung is not taken.

| hook | runs once per | fentry | kprobe | tracepoint | counts | C |
|---|---|---|---|---|---|---|
"""

TAIL = """
## Expected cost

Nanoseconds of an event, on a server with mitigations. [What was measured](overhead.md) is another matter.

| by | at | ns |
|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    costs = "".join(f"| {rung.value} | {end.value} | {ns} |\n" for (rung, end), ns in COST_NS.items())
    return (
        HEAD
        + "".join(map(_row, CATALOGUE))
        + TAIL
        + costs
        + f"| tracepoint, with a stack | entry | {STACK_NS} more |\n"
    )


def _row(spec: Spec) -> str:
    levels = [spec.since[rung].value if rung in spec.since else "-" for rung in Rung]
    counts = ", ".join(f"`{name}`" for name in spec.counts) or "-"
    file = HOOK_CODE[spec.hook].file
    cells = [f"`{spec.hook}`", spec.event, *levels, counts, f"[`{file}`](../bpf/count/{file})"]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
