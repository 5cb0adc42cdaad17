"""What our programs add to a page, in instructions, by each way that pages take through a pool; beside it the peers.

    .venv/bin/python -m bench.cost [--short]

Boots a guest in which one instruction takes one nanosecond (vmtest/guest.py), and runs bench/inside.py there. The
figures repeat to a thousandth. What they are not: time on silicon, which has caches, mispredictions and mitigations.
"""

from __future__ import annotations

import itertools
import json
import shlex
import statistics
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.claims import claim, heading, options, table
from bench.configurations import NOTHING, names
from vmtest.guest import claimed, end_with_parent, run

KERNEL = "newest"
REGIMES = {
    "cache": "Straight back into the cache: datagrams over lo that generic XDP drops, in the CPU's system pool.",
    "ring": "Through the ring, one by one: live frames that are dropped at once. Little but the pool's own work.",
    "ring, redirected": "Through the ring, in bulks: live frames redirected into a veth pair and dropped there.",
    "ring full": "Past a ring that has no room: TCP over veth, in bursts that are read at once.",
    "mismatches": "NUMA mismatches: TCP over veth, in bursts whose sender, and consumer, is on either node by turns.",
}
SHORT = ("--configurations", "standard fentry", "full fentry", "--regimes", "ring", "--repeats", "1")
MINUTES = 45
DISPATCH = {
    "lean fentry": "fexit",
    "standard fentry": "fentry + fexit",
    "lean kprobe": "kprobe + kretprobe",
    "standard kprobe": "kprobe + kretprobe",
}
"""A configuration to what its programs hang on at a refill."""
TARGETS = {"lean": 0.5, "standard": 1.5, "full": 12.0}
"""Level to the percent that it may add to a page through the ring."""


@dataclass
class Found:
    """What the guest printed."""

    machine: str = ""
    turns: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    """Regime to configurations in their order, nothing before and after each, and instructions a unit of traffic."""
    pages: dict[str, float] = field(default_factory=dict)
    """Regime to pages allocated a unit."""
    counts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Regime to what went on in one run of it."""

    def pages_a_refill(self, regime: str) -> float:
        """How many pages are allocated for one refill."""
        counts = self.counts[regime]
        return float(sum(counts["allocs"].values()) / counts["refill_batch_pages"]["count"])

    def without(self, regime: str) -> float:
        """Instructions a page with nothing attached, in the mean of all turns."""
        return statistics.mean(self._nothing(regime)) / self.pages[regime]

    def noise(self, regime: str) -> float:
        """The most by which two turns with nothing attached that follow each other differ, in percent."""
        turns = self._nothing(regime)
        return 100 * max(abs(b / a - 1) for a, b in itertools.pairwise(turns))

    def added(self, configuration: str, regime: str) -> float:
        """Instructions a page, above nothing attached, in the mean of the turns before and after."""
        turns = self.turns[regime]
        at = [name for name, _ in turns].index(configuration)
        (_, before), (_, units), (_, after) = turns[at - 1 : at + 2]
        return (units - (before + after) / 2) / self.pages[regime]

    def percent(self, configuration: str, regime: str) -> float:
        """The same, in percent of nothing attached."""
        return 100 * self.added(configuration, regime) / self.without(regime)

    def _nothing(self, regime: str) -> list[float]:
        return [units for name, units in self.turns[regime] if name == NOTHING]


def main() -> None:
    """Measure in the guest, and print the tables and the claims."""
    end_with_parent()
    short = options(__doc__ or "").short
    found = measured(SHORT if short else ())
    heading("Added to a page, in instructions", found.machine)
    for regime in found.pages:
        print(f"### {regime}\n\n{REGIMES[regime]} {what_it_is(found.counts[regime])}\n")
        table(["attached", "instructions a page", "added", "added, %"], rows(found, regime))
        print(f"Two turns without anything attached differ by {found.noise(regime):.2f} % at most.\n")
    if not short:
        budget(found)
        state_claims(found)


def measured(arguments: Iterable[str]) -> Found:
    """What bench/inside.py finds in a guest, which is shown on standard error. RuntimeError when it fails."""
    inside = shlex.join([sys.executable, "-m", "bench.inside", *arguments])
    with claimed(f"{KERNEL}-counted") as results, redirect_stdout(sys.stderr):
        command = f"env PYTHONDONTWRITEBYTECODE=1 {inside}"
        if run(KERNEL, command, results, limit=60 * MINUTES, counted=True):
            raise RuntimeError(f"bench/inside.py failed in the guest: see {results / 'log'}")
        return parsed(results / "log")


def parsed(log: Path) -> Found:
    """The lines of bench/inside.py."""
    found = Found()
    for line in log.read_text().splitlines():
        if not line.startswith("{"):
            continue
        said = json.loads(line)
        if "machine" in said:
            found.machine = said["machine"]
        elif "counts" in said:
            found.counts[said["regime"]] = said["counts"]
            found.pages[said["regime"]] = sum(said["counts"]["allocs"].values()) / said["units"]
        elif "per_unit" in said:
            found.turns.setdefault(said["regime"], []).append((said["configuration"], said["per_unit"]))
    return found


def what_it_is(counts: Mapping[str, Any]) -> str:
    """The regime by its counts."""
    pages = sum(counts["allocs"].values())
    batches = counts["refill_batch_pages"]
    mean = batches["sum"] / batches["filled"] if batches["filled"] else 0
    mismatches, returned = sum(counts["numa_mismatch_pages"].values()), counts["pages_returned"]
    return (
        f"In {pages:,} pages: {batches['count']:,} refills, {mean:.1f} pages in each that had any, "
        f"{counts['slow_refills'].get('', 0):,} slow refills, {mismatches:,} mismatches, "
        f"{returned.get('ring_full', 0):,} pages that found the ring full; "
        f"{100 * counts['allocs'].get('cache', 0) / pages:.1f} % of allocations served by the cache."
    )


def rows(found: Found, regime: str) -> Iterable[list[str]]:
    """A line for nothing, and for each configuration that was measured."""
    without = found.without(regime)
    yield [NOTHING, f"{without:.2f}", "", ""]
    for name, _ in found.turns[regime]:
        if name != NOTHING:
            added = found.added(name, regime)
            yield [name, f"{without + added:.2f}", f"{added:+.2f}", f"{found.percent(name, regime):+.2f}"]


def budget(found: Found) -> None:
    """Where the instructions of a refill go, and of a page at level full: how much of it is the kernel's dispatch."""
    pages = found.pages_a_refill("ring")
    a_refill = {name: pages * found.added(name, "ring") for name in names()}
    lines = [
        share(found, f"a refill, {name}", a_refill[name], a_refill[f"empty {empty}"], pages)
        for name, empty in DISPATCH.items()
    ]
    every_page = found.added("full fentry", "ring") - found.added("standard fentry", "ring")
    lines.append(share(found, "each page, full fentry", every_page, a_refill["empty fentry"], 1))
    print(
        f"### Where they go\n\nOf a refill through the ring, whose {pages:.1f} pages take "
        f"{pages * found.without('ring'):,.0f} instructions by themselves when they are dropped, and "
        f"{pages * found.without('ring, redirected'):,.0f} when they are redirected. Dispatch is what programs that do "
        "nothing cost in the same places: the kernel's own price, which no program can go below. Allowed is what the "
        "target of the level leaves.\n"
    )
    table(["", "dispatch", "our programs", "both", "allowed, dropped", "allowed, redirected"], lines)


def share(found: Found, name: str, whole: float, dispatch: float, pages: float) -> list[str]:
    """A line of the budget, for so many pages."""
    most = next((percent for level, percent in TARGETS.items() if name.endswith(f"{level} fentry")), None)
    allowed = [
        f"{pages * found.without(regime) * most / 100:.0f}" if most else "" for regime in ("ring", "ring, redirected")
    ]
    return [name, f"{dispatch:.0f}", f"{whole - dispatch:.0f}", f"{whole:.0f}", *allowed]


def state_claims(found: Found) -> None:
    """What we promise of each regime."""
    for regime in ("ring", "ring, redirected"):
        for level, most in TARGETS.items():
            added(found, f"{level} fentry", regime, most)
        ratio = found.added("standard fentry", regime) / found.added("bpftrace fexit", regime)
        claim(f"{regime}: standard's part of what bpftrace adds", ratio, "", script=__file__, at_most=0.25)
    for level in ("lean", "standard"):
        added(found, f"{level} fentry", "cache", 0.05)
    for regime in ("ring full", "mismatches"):
        added(found, "standard fentry", regime, 8)


def added(found: Found, configuration: str, regime: str, most: float) -> None:
    claim(
        f"{regime}: added by {configuration}", found.percent(configuration, regime), "%", script=__file__, at_most=most
    )


if __name__ == "__main__":
    main()
