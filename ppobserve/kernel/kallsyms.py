"""Which functions and variables the kernel has, and where they are."""

from __future__ import annotations

from pathlib import Path

KALLSYMS = Path("/proc/kallsyms")


def ranges(wanted: frozenset[str], path: Path = KALLSYMS) -> dict[str, tuple[int, int]]:
    """Start and end address of each of *wanted* that is kernel text, compiler clones (``.cold``) excluded.

    Both are 0 when the kernel hides addresses (kptr_restrict, or no CAP_SYSLOG); a kernel without CONFIG_KALLSYMS lists
    nothing. The file is searched as one string: a table of all its 120,000 symbols would take ten times as long.
    """
    text = path.read_text() if path.exists() else ""
    places = {name: _place(text, name) for name in wanted}
    return {name: _range(text, at) for name, at in places.items() if at >= 0}


def addresses(wanted: frozenset[str], path: Path = KALLSYMS) -> dict[str, int]:
    """Where each of *wanted* is that the kernel itself lists, function or variable; 0 when it hides addresses."""
    text = path.read_text() if path.exists() else ""
    found = {name: text.find(f" {name}\n") for name in wanted}
    return {name: _address(text, text.rfind("\n", 0, at) + 1) for name, at in found.items() if at >= 0}


def _place(text: str, name: str) -> int:
    """Where the line of a vmlinux text symbol begins, or -1. Lines are ``address kind name``; modules' go on."""
    for kind in "tT":
        at = text.find(f" {kind} {name}\n")
        if at >= 0:
            return text.rfind("\n", 0, at) + 1
    return -1


def _range(text: str, at: int) -> tuple[int, int]:
    """The function's start and that of the next symbol: the table is sorted by address (scripts/kallsyms.c)."""
    start = _address(text, at)
    end = start
    while start and end <= start and (at := text.find("\n", at) + 1) and at < len(text):
        end = _address(text, at)
    return start, end


def _address(text: str, at: int) -> int:
    return int(text[at : text.index(" ", at)], 16)
