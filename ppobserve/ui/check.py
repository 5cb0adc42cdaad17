"""The answer of ``ppobserve check``, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from ppobserve.ui.format import printable

WIDTH = 79


def report(document: Mapping[str, Any]) -> str:
    """The document of ``check --json`` for people, under 80 columns."""
    kernel = document["kernel"]
    facts = [
        *_whose(document),
        f"kernel     {kernel['release']} {kernel['machine']}, {kernel['cpus']} CPUs, {kernel['nodes']} NUMA nodes",
        f"lockdown   {kernel['lockdown'] or 'not known'}",
        f"cache      {kernel['cache_pages']} pages, refilled by up to {kernel['refill_pages']}",
    ]
    lines = [textwrap.fill(fact, WIDTH, subsequent_indent=" " * 11, break_on_hyphens=False) for fact in facts]
    plan = document["plan"]
    if plan:
        tried = ": compiled, and loaded into this kernel" if document.get("tried") else ""
        lines += [f"plan       level {plan['level']}, by {plan['rung']}{tried}"]
        lines += [*_memory(document.get("memory")), "", *_hooks(plan["hooks"])]
        lines += _paragraphs("compared with the kernel's own", filter(None, [", ".join(plan["audited"])]))
        lines += _paragraphs("not counted here", plan["unavailable"].values())
    lines += _paragraphs("problem", (item["what"] for item in document["problems"]))
    lines += _paragraphs("fix", dict.fromkeys(item["fix"] for item in document["problems"] if item["fix"]))
    lines += ["", f"observable: {'yes' if document['observable'] else 'no'}"]
    return "\n".join(map(printable, "\n".join(lines).split("\n")))


def _whose(document: Mapping[str, Any]) -> list[str]:
    """Whose facts these are; this kernel's are taken for granted."""
    recorded = document.get("facts")
    if not recorded:
        return []
    note = f": {recorded['note']}" if recorded["note"] else ""
    return [f"facts      of {recorded['file']}, not of this kernel{note}"]


def _memory(memory: Mapping[str, Any] | None) -> list[str]:
    """What the kernel keeps for us; nothing where that is not known: without root, or from recorded facts."""
    if not memory:
        return []
    mebibytes = sum(memory["maps"].values()) / 2**20
    return [f"memory     {mebibytes:.1f} MiB of maps: {memory['pools']} pools, {memory['slots']} (pool, CPU) pairs"]


def _hooks(hooks: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = [f"{'HOOK':10} {'BY':10} {'SYMBOL':31} {'COST':>8}  ONCE PER"]
    for hook in hooks:
        cost, (symbol, *others) = f"~{hook['cost_ns']} ns", hook["symbol"].split(",")
        lines.append(f"{hook['name']:10} {hook['rung']:10} {symbol:31} {cost:>8}  {hook['event']}"[:WIDTH])
        lines += [f"{'':21} {other}" for other in others]
    reasons = dict.fromkeys(reason for hook in hooks for reason in hook["because"])
    fixes = dict.fromkeys(hook["fix"] for hook in hooks if hook["fix"])
    return [*lines, *_paragraphs("why not better", reasons), *_paragraphs("to do better", fixes)]


def _paragraphs(title: str, texts: Iterable[str]) -> list[str]:
    """One wrapped paragraph a text, with the title before the first and an empty line above."""
    wrapped = [textwrap.fill(text, WIDTH, initial_indent=f"{title}: ", subsequent_indent="  ") for text in texts]
    return ["", *wrapped] if wrapped else []
