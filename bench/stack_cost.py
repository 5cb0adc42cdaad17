"""What one event costs on the tracepoint rung, by the kernel's own program statistics.

Prints nanoseconds a run for each program, while live frames make and end pools. The time is that of the program's body,
with the two clock readings that the statistics take themselves (about 20 ns each); dispatch is not in it. Needs root.

    .venv/bin/python bench/stack_cost.py
"""

from __future__ import annotations

import os

from ppobserve.kernel import bpf
from ppobserve.kernel.features import gather
from ppobserve.lab.affinity import first
from ppobserve.lab.frames import run_frames
from ppobserve.model.plan import Level, Rung
from ppobserve.probe.attach import attach

CALLS = 101
FRAMES_A_CALL = 256


def main() -> None:
    """Run the frames and print a line a program."""
    statistics = bpf.enable_statistics()
    with attach(gather(), Level.STANDARD, forced=Rung.TRACEPOINT) as attached:
        run_frames(CALLS * FRAMES_A_CALL, batch=FRAMES_A_CALL, per_pool=FRAMES_A_CALL, cpu=first())
        for name in ("page_held", "page_returned", "pool_released"):
            run = bpf.program_statistics(attached.program(name))
            print(f"{name:14} {run.runs:7} runs {run.nanoseconds / max(run.runs, 1):8.0f} ns a run")
    os.close(statistics)


if __name__ == "__main__":
    main()
