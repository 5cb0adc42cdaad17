"""What runs in the guest for bench/cost.py: traffic with and without each way to count it. One JSON document a line.

Prints, for each regime, what it is by the counts of level full, and for each configuration and regime nanoseconds a
unit of traffic, which are instructions.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from contextlib import ExitStack

from bench.claims import this_machine
from bench.configurations import attached, names
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
        use_cpus(1)
        for name in asked.configurations:
            with attached(name) as source:
                for regime in chosen:
                    use_cpus(regime.cpus)
                    if source and name == OBSERVER:
                        say(regime=regime.name, **seen(regime, source))
                    measure(name, regime, asked.repeats)


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def measure(name: str, regime: Regime, repeats: int) -> None:
    """The slope between a small and a large amount, which leaves beginning and end of the traffic out."""
    begin = time.time()
    regime.run(regime.small)
    small, large = (
        statistics.median(regime.run(units) for _ in range(repeats)) for units in (regime.small, regime.large)
    )
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
