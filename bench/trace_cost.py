"""What a traced page costs on the tracepoint rung, by the kernel's own program statistics: told, past the limit, and
filtered out, without stacks and with them.

Prints nanoseconds a run of the program that sees returns, while live frames make and end pools. The time is that of the
program's body, with the two clock readings that the statistics take themselves (about 20 ns each). Then what a line
takes in user space: read out of the buffer, and made into text. Needs root.

    .venv/bin/python bench/trace_cost.py
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from ppobserve.kernel import bpf
from ppobserve.kernel.features import gather
from ppobserve.lab.affinity import first
from ppobserve.lab.frames import run_frames
from ppobserve.model.plan import Rung
from ppobserve.model.trace import Kind, Selection
from ppobserve.probe.tracing import Tracer
from ppobserve.ui.trace import lines

CALLS = 101
FRAMES_A_CALL = 64
RETURNS = Selection(frozenset({Kind.RETURN}), limit=0)
CASES = {
    "told": RETURNS,
    "told, by perf's buffers": RETURNS,
    "told, with its stack": replace(RETURNS, stack=True),
    "past the limit": replace(RETURNS, limit=1),
    "filtered out by netdev": replace(RETURNS, netdevs=frozenset({"no such"})),
    "filtered out by event": replace(RETURNS, kinds=frozenset({Kind.MISMATCH})),
}


def main() -> None:
    """Run the frames and print a line a case."""
    features, statistics = gather(), bpf.enable_statistics()
    for name, selection in CASES.items():
        tracer = Tracer.start(features, selection, rung=Rung.TRACEPOINT, ring="perf" not in name)
        run_frames(CALLS * FRAMES_A_CALL, batch=FRAMES_A_CALL, per_pool=FRAMES_A_CALL, cpu=first())
        run = bpf.program_statistics(tracer.attached.program("trace_page_returned"))
        began = time.process_time()
        told = [lines(event, wide=False) for event in tracer.read()]
        took = (time.process_time() - began) / max(len(told), 1) * 1e6
        line = f"{run.runs:7} runs {run.nanoseconds / max(run.runs, 1):8.0f} ns a run"
        print(f"{name:24} {line}{f' {took:6.1f} us a line' if len(told) > CALLS else ''}")
        tracer.close()
    os.close(statistics)


if __name__ == "__main__":
    main()
