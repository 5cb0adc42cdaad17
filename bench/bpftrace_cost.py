"""What one event costs in the bpftrace scripts, by the kernel's own program statistics.

Prints nanoseconds a run for each program that ran, while live frames make and end pools. The time is that of the
program's body, with the two clock readings that the statistics take themselves (about 20 ns each); dispatch is not in
it. Needs root, bpftrace and a mounted tracefs.

    .venv/bin/python bench/bpftrace_cost.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ppobserve.errors import NotObservable
from ppobserve.kernel import bpf
from ppobserve.kernel.features import gather
from ppobserve.lab.affinity import first
from ppobserve.lab.frames import run_frames
from ppobserve.model.bpftrace import filled
from ppobserve.probe.scripts import templates

CALLS = 101
FRAMES_A_CALL = 256


def main() -> None:
    """One script at a time: start it, run the frames, print a line a program."""
    statistics, features = bpf.enable_statistics(), gather()
    for name, template in templates().items():
        try:
            measure(name, filled(template, features))
        except NotObservable as error:
            print(f"{name:20} {error.what}")
    os.close(statistics)


def measure(name: str, script: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".bt") as file:
        file.write(script)
        file.flush()
        command = ["bpftrace", file.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            wait_until_attached(process)
            run_frames(CALLS * FRAMES_A_CALL, batch=FRAMES_A_CALL, per_pool=FRAMES_A_CALL, cpu=first())
            for runs, nanoseconds in programs(process.pid):
                print(f"{name:20} {runs:7} runs {nanoseconds / runs:8.0f} ns a run")
            process.send_signal(signal.SIGINT)


def wait_until_attached(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    if not any("Ctrl-C" in line for line in process.stdout):
        raise SystemExit("bpftrace did not start: run it by hand to see why")


def programs(pid: int) -> Iterator[tuple[int, int]]:
    """(runs, nanoseconds) of each program that a process holds and that ran more than once a pool."""
    for entry in sorted(Path(f"/proc/{pid}/fdinfo").iterdir(), key=lambda path: int(path.name)):
        facts = dict(line.split(":\t", 1) for line in entry.read_text().splitlines() if ":\t" in line)
        if int(facts.get("run_cnt", 0)) > CALLS:
            yield int(facts["run_cnt"]), int(facts["run_time_ns"])


if __name__ == "__main__":
    main()
