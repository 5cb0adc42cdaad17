"""Live frames on this host's kernel, in turn without and with our programs: what they add to a frame for real.

    .venv/bin/python -m bench.frames [--short]

By the best rung that this kernel allows. Runs go A B A B A: each B is compared with the mean of the two A beside it, so
that what else the machine does meets both alike. The spread over the rounds says how much to believe. Needs root.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from bench.claims import claim, heading, options, table
from ppobserve.kernel.features import gather
from ppobserve.lab.affinity import first
from ppobserve.lab.frames import run_frames
from ppobserve.model.plan import Level
from ppobserve.probe.attach import attach

FRAMES, ROUNDS = 1_000_003, 41
SHORT_FRAMES, SHORT_ROUNDS = 100_003, 5


def main() -> None:
    """Measure, and print the table and the claim."""
    frames, rounds = (SHORT_FRAMES, SHORT_ROUNDS) if options(__doc__ or "").short else (FRAMES, ROUNDS)
    features = gather()
    run_frames(frames, cpu=first())
    without, attached = [nanoseconds(frames)], []
    for _ in range(rounds):
        with attach(features, Level.STANDARD) as programs:
            attached.append(nanoseconds(frames))
        without.append(nanoseconds(frames))
    ratios = [2 * b / (before + after) for b, before, after in zip(attached, without, without[1:], strict=False)]
    heading("On this host: live frames with and without")
    table(
        ["", "lowest", "quartile", "median", "quartile", "highest"],
        [
            ["A: without, ns a frame", *spread(without, 1)],
            ["B: with, ns a frame", *spread(attached, 1)],
            ["B / A", *spread(ratios, 4)],
        ],
    )
    rung = programs.plan.rung.value
    print(f"CPU time of {rounds} runs of {frames:,} frames each, level standard, rung {rung}, by turns.\n")
    added = 100 * (statistics.median(ratios) - 1)
    claim(f"added to a live frame on this host, standard, {rung}", added, "%", script=__file__, at_most=1.5)


def nanoseconds(frames: int) -> float:
    """CPU time of one run, a frame; what it sleeps at the end of its pool is not in it."""
    begin = time.thread_time_ns()
    run_frames(frames, per_pool=frames, cpu=first())
    return (time.thread_time_ns() - begin) / frames


def spread(values: Sequence[float], digits: int) -> list[str]:
    """Lowest, quartile, median, quartile, highest."""
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return [f"{value:.{digits}f}" for value in (min(values), *quartiles, max(values))]


if __name__ == "__main__":
    main()
