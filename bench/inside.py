"""What runs in the guest for bench/cost.py: traffic with and without each way to count it. One JSON document a line.

Prints, for each regime, what it is by the counts of level full, and for each configuration and regime nanoseconds a
unit of traffic, which are instructions. Before and after each configuration the same is done with nothing attached: a
kernel that has run for a while is not quite the one that it was.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from bench.claims import this_machine
from bench.configurations import NOTHING, attached, names
from bench.regimes import Regime, regimes, use_cpus
from ppobserve.model.series import Counters, Histogram
from ppobserve.model.snapshot import delta
from ppobserve.source.live import Live

REPEATS = 3
OBSERVER = "full fentry"
"""The configuration whose counts say what a regime is."""


def main() -> None:
    """Every configuration through every regime."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configurations", nargs="*", default=names())
    parser.add_argument("--regimes", nargs="*")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    asked = parser.parse_args()
    gc.disable()
    say(machine=this_machine())
    with ExitStack() as stack:
        chosen = [each for each in regimes(stack) if not asked.regimes or each.name in asked.regimes]
        for cpus in (1, 2):
            use_cpus(cpus)
            go_through([regime for regime in chosen if regime.cpus == cpus], asked.configurations, asked.repeats)


def go_through(chosen: Sequence[Regime], configurations: Iterable[str], repeats: int) -> None:
    """Regimes that use as many CPUs, with each configuration."""
    for regime in chosen:
        regime.run(regime.large)
    for name in by_turns(configurations if chosen else ()):
        with attached(name) as source:
            for regime in chosen:
                if source and name == OBSERVER:
                    say(regime=regime.name, **seen(regime, source))
                measure(name, regime, repeats)


def by_turns(configurations: Iterable[str]) -> Iterator[str]:
    """Nothing, each of *configurations*, and nothing again after each."""
    yield NOTHING
    for name in configurations:
        yield name
        yield NOTHING


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def measure(name: str, regime: Regime, repeats: int) -> None:
    """The slope between a small and a large amount, which leaves beginning and end of the traffic out.

    Of each amount the least that it ever took: what else a kernel does now and then only adds.
    """
    begin = time.time()
    regime.run(regime.small)
    small, large = (min(regime.run(units) for _ in range(repeats)) for units in (regime.small, regime.large))
    per_unit = (large - small) / (regime.large - regime.small)
    say(configuration=name, regime=regime.name, per_unit=per_unit, seconds=round(time.time() - begin, 1))


def seen(regime: Regime, source: Live) -> dict[str, object]:
    """What the pools went through in one run of the regime, by our own counts, a unit."""
    before = source.read()
    regime.run(regime.large)
    counters = delta(source.read(), before).counters()
    return {"units": regime.large, "counts": {name: flat(counters, name) for name in counters}}


def flat(counters: Counters, name: str) -> object:
    counter = counters[name]
    if isinstance(counter, Histogram):
        return {"count": counter.count, "sum": counter.sum, "filled": counter.filled}
    return {",".join(labels): value for labels, value in counter.items() if value}


if __name__ == "__main__":
    main()
