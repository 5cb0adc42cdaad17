"""Which kernels the guests boot, what each must be able to do, and how the live tests run there."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

HANG_SECONDS = 240
READ_ONLY = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
KERNELS = {
    "5.10": ("tracepoint", "kprobe", "fentry", "numa"),  # no live frames, no veth with a pool: hooks only
    "6.1": ("tracepoint", "kprobe", "fentry", "numa", "frames", "bpftrace"),
    "6.12": ("tracepoint", "kprobe", "fentry", "numa", "frames", "veth", "bpftrace"),
    "7.3": ("tracepoint", "kprobe", "fentry", "numa", "frames", "veth", "stats", "virtio", "bpftrace"),
}
DEFAULT = ("7.3", "6.12", "6.1", "5.10")


def live_tests(kernel: str, results: Path) -> str:
    """The shell command for a guest. The tree is read-only there, so nothing is cached in it.

    A line a test, so that what hangs can be seen; the stacks of what hangs, too.
    """
    env = {
        "PPOBSERVE_GUEST": "1",
        "PPOBSERVE_REQUIRE_LIVE": "1",
        "PPOBSERVE_EXPECT": ",".join(KERNELS[kernel]),
        "PPOBSERVE_FIGURES": str(results / "figures"),
        "PPOBSERVE_SUPPORT": str(results / "support.json"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-v", "--durations=10", "-o", f"faulthandler_timeout={HANG_SECONDS}", *READ_ONLY]
    pytest = [sys.executable, "-m", "pytest", *options, f"--junitxml={results / 'junit.xml'}"]
    return shlex.join(["env", *(f"{name}={value}" for name, value in env.items()), *pytest, "tests/live"])
