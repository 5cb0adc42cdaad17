"""bpftrace, running a script that we printed, and what its maps hold at the end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ppobserve.model.features import DESTROY, REFILL, RELEASE_RETRY, UPDATE_NID_FUNCTION

# PPOBSERVE_BPFTRACE names another one, as the page's table takes a run of each version.
BPFTRACE = shutil.which(os.environ.get("PPOBSERVE_BPFTRACE", "bpftrace"))
# bpftrace finds tracepoints in tracefs, which not everything that boots has mounted.
TRACEFS = "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing"
# A bpftrace before 0.19 misses a Ctrl-C that comes while it is not waiting for one (src/bpftrace.cpp of 0.17.0,
# poll_perf_events). One that is about to end dies of another, so that one comes late.
END_SECONDS, CTRL_C = 45, 3
# What would lead bpftrace to headers, or to types other than those that the kernel has with it.
HELP = frozenset({"BPFTRACE_BTF", "BPFTRACE_VMLINUX", "BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD"})

Maps = Mapping[str, Any]


def version() -> tuple[int, ...]:
    """As in (0, 17, 0)."""
    assert BPFTRACE
    said = subprocess.run([BPFTRACE, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"\d+", said)))


class Running:
    """One script, from its start. ``wait_until_attached``, then traffic, then ``end``."""

    def __init__(self, script: Path) -> None:
        command = ["unshare", "--mount", "sh", "-c", f'{TRACEFS}; exec "$@"', "sh", str(BPFTRACE), "-f", "json", script]
        pipe, env = subprocess.PIPE, {name: value for name, value in os.environ.items() if name not in HELP}
        self._process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env)

    def wait_until_attached(self) -> str:
        """bpftrace prints what BEGIN says once everything is attached. What it said if it ended instead, else empty."""
        assert self._process.stdout
        for line in self._process.stdout:
            if "Ctrl-C" in line:
                return ""
        return f"bpftrace ended early: {self._process.communicate()[1]}"

    def end(self) -> Maps:
        """What Ctrl-C does: the maps by name, each as it was printed last."""
        out, err = self._interrupt(CTRL_C)
        assert self._process.returncode == 0, err
        documents = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        maps = (each["data"] for each in documents if each["type"] in ("map", "stats", "hist"))
        return {name: value for data in maps for name, value in data.items()}

    def _interrupt(self, times: int) -> tuple[str, str]:
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            if times == 1:
                raise
            return self._interrupt(times - 1)

    def kill(self) -> None:
        """For a test that failed in between."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def cells(maps: Maps, name: str, devices: Collection[str]) -> Iterator[tuple[list[str], Any]]:
    """What a map holds for some devices: the key, of which the device is the first, and the value."""
    for key, value in maps.get(name, {}).items():
        parts = key.split(",")
        if parts[0] in devices:
            yield parts, value


def summed(maps: Maps, name: str, devices: Collection[str]) -> int:
    return sum(value for _, value in cells(maps, name, devices))


# The reason of a return, as the header of page_pool_returns.bt says: in its stack first, else by its page.
BY_CALLER = {REFILL: "numa", DESTROY: "teardown", RELEASE_RETRY: "teardown", UPDATE_NID_FUNCTION: "nid_update"}
BY_PAGE = {"@referenced": "referenced", "@pfmemalloc": "pfmemalloc", "@recyclable": "ring_full", "@net_iov": "other"}


def returned(maps: Maps, devices: Collection[str]) -> dict[str, int]:
    """Pages that left, by reason."""
    pages = dict.fromkeys((*BY_CALLER.values(), *BY_PAGE.values()), 0)
    for name, looks in BY_PAGE.items():
        for (_, *stack), count in cells(maps, name, devices):
            functions = re.findall(r"(\w+)\+\d+", ",".join(stack))
            reason = next((BY_CALLER[function] for function in functions if function in BY_CALLER), looks)
            pages[reason] += count
    return pages
