"""What the demo prints, as pure text of at most 79 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from demo.counters import Pair
from ppobserve.model.finding import Finding
from ppobserve.model.metrics import PREFIX

WIDTH = 79
STATS_OFF = "This kernel keeps no page_pool counters of its own (CONFIG_PAGE_POOL_STATS is off)."

CHANGED_SIDES = (
    "A page or two may differ in ring_full: the kernel decides when the page comes back, ppobserve counts it when it "
    "leaves."
)


def filled(text: str) -> str:
    """*text* broken into lines."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, break_long_words=False)


def heading(text: str, command: str = "") -> str:
    """What comes next, and the command that a reader would type for it."""
    return f"\n== {text}" + (f"\n   $ {command}" if command else "")


def goes_on(lacks: Sequence[str], series: str) -> str:
    """Why a guest is next. *series* is its kernel's."""
    same = f"The same on Debian's {series} with two nodes, in a guest (two minutes; three the first time)"
    return f"\n{filled(f'This kernel {_joined(lacks)}. {same}')}\n"


def stays(lacks: Sequence[str]) -> str:
    """What HERE=1 leaves out."""
    return f"\n{filled(f'This kernel {_joined(lacks)}. `make demo` without HERE=1 shows the rest in a guest.')}"


def no_guest(lacks: Sequence[str], why: str) -> str:
    """*why* there is none, a sentence and what a failed program printed; what that leaves out."""
    first, *rest = why.splitlines()
    missing = filled(f"This kernel {_joined(lacks)}, so not everything was shown.")
    return "\n".join([filled(f"No guest on this host: {first}"), *rest, missing])


def verdict(finding: Finding) -> str:
    """The worst finding of a recording."""
    return filled(f"{finding.severity.name.capitalize()}: {finding.sentence}")


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def attached(said: str) -> str:
    """What the daemon said about how it attached, without its name before each line."""
    lines = (line.removeprefix("ppobserve: ") for line in said.splitlines())
    return "\n".join(filled(line) for line in lines)


def sent(nbytes: int, seconds: float, visited: Mapping[int, int]) -> str:
    """What the traffic came to, and the CPUs that its sender visited, with their nodes."""
    rate = nbytes * 8 / seconds / 1e9 if seconds else 0.0
    where = " and ".join(f"CPU {cpu} (node {node})" for cpu, node in visited.items())
    moved = f"\nThe sender moves between {where}." if len(visited) > 1 else ""
    return f"{nbytes / 1e6:,.0f} MB in {seconds:.1f} s, {rate:.2f} Gbit/s.{moved}"


def matrix(cells: Mapping[tuple[str, str], int]) -> str:
    """Mismatches: a row for each node that pages were on, a column for each node that was wanted."""
    nodes = sorted({node for key in cells for node in key}, key=lambda node: (len(node), node))
    head = f"{'':<16}" + "".join(f"{f'wanted on {node}':>14}" for node in nodes)
    rows = (f"  pages on {node:<5}" + "".join(_cell(cells.get((node, wanted))) for wanted in nodes) for node in nodes)
    return "\n".join([head, *rows])


def _cell(pages: int | None) -> str:
    return f"{_number(pages):>14}"


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def comparison(pairs: Sequence[Pair], device: str) -> str:
    """Each counter of ``/metrics``; the kernel's beside it where it keeps some."""
    head = f"{f'of {device}':<40}{'/metrics':>9}"
    if all(pair.kernel is None for pair in pairs):
        return "\n".join([head, *(_ours(pair) for pair in pairs), filled(STATS_OFF)])
    notes = [filled(CHANGED_SIDES)] * any(pair.apart and not pair.is_wrong for pair in pairs)
    return "\n".join([f"{head} {'':6} {'kernel':>9} ethtool -S", *map(_compared, pairs), *notes])


def _ours(pair: Pair) -> str:
    return f"{pair.metric.removeprefix(PREFIX):<40}{_number(pair.ours):>9}"


def _compared(pair: Pair) -> str:
    """A pair in one line, whether both sides agree, and the kernel's word without what all of them begin with."""
    verdict = "" if None in (pair.ours, pair.kernel) else "differ" if pair.apart else "equal"
    word = pair.kernel_name.partition("_")[2]
    return f"{_ours(pair)} {verdict:^6} {_number(pair.kernel):>9} {word}"
