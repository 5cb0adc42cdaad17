"""Which kernels the guests boot, what each must be able to do, and how the live tests run there."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

HANG_SECONDS = 240
# An emulated CPU takes a quarter of a minute for each of those, and they are the same on every kernel.
NOT_HERE = ("-m", "not host")
READ_ONLY = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@dataclass(frozen=True)
class Kernel:
    """What a kernel must be able to do, and which of ``tests/live`` it is asked; none: all of them."""

    able: tuple[str, ...]
    tests: tuple[str, ...] = ()


FUNCTIONS = ("tracepoint", "kprobe", "fentry", "numa")
KERNELS = {
    "5.10": Kernel(FUNCTIONS, ("attach", "support")),  # no live frames, no veth with a pool: that all attaches
    "6.1": Kernel(
        (*FUNCTIONS, "frames", "moves", "bpftrace"), ("attach", "frames", "life", "trace", "bpftrace", "support")
    ),
    "6.12": Kernel(
        (*FUNCTIONS, "frames", "moves", "misses", "veth", "bpftrace"),
        ("attach", "counts", "frames", "life", "identity", "nid", "trace", "bpftrace", "support"),
    ),
    "7.3": Kernel((*FUNCTIONS, "frames", "misses", "veth", "stats", "virtio", "bpftrace")),
}
DEFAULT = ("7.3", "6.12", "6.1", "5.10")


def live_tests(kernel: str, results: Path) -> str:
    """The shell command for a guest. The tree is read-only there, so nothing is cached in it.

    A line a test, so that what hangs can be seen; the stacks of what hangs, too.
    """
    env = {
        "PPOBSERVE_GUEST": "1",
        "PPOBSERVE_REQUIRE_LIVE": "1",
        "PPOBSERVE_EXPECT": ",".join(KERNELS[kernel].able),
        "PPOBSERVE_FIGURES": str(results / "figures"),
        "PPOBSERVE_SUPPORT": str(results / "support.json"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    options = ["-v", "--durations=10", "-o", f"faulthandler_timeout={HANG_SECONDS}", *NOT_HERE, *READ_ONLY]
    pytest = [sys.executable, "-m", "pytest", *options, f"--junitxml={results / 'junit.xml'}"]
    return shlex.join(["env", *(f"{name}={value}" for name, value in env.items()), *pytest, *_tests(kernel)])


def _tests(kernel: str) -> list[str]:
    return [f"tests/live/test_{name}.py" for name in KERNELS[kernel].tests] or ["tests/live"]
