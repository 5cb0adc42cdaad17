"""A page_pool driven as fast as one CPU can: XDP live frames that are dropped at once, or redirected.

Needs no network device: BPF_PROG_TEST_RUN makes a page_pool for the time of one call (kernel commit b530e9e1063e,
"bpf: Add "live packet" mode for XDP in BPF_PROG_RUN", 5.18).
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ppobserve.errors import LabError, UsageError
from ppobserve.kernel.bpf import TEST_XDP_LIVE_FRAMES, BpfError, test_run
from ppobserve.kernel.programs import TYPE_XDP, load, redirecting, returning
from ppobserve.lab.affinity import pinned
from ppobserve.lab.remedy import XDP, refused

XDP_DROP = 1
# The end of a pool costs about 20 ms (RCU). So many frames make that small, and Ctrl-C still takes less than a second.
FRAMES_PER_POOL = 1 << 20

# net/bpf/test_run.c: TEST_XDP_MAX_BATCH; an Ethernet header; what fits in a page of 4096 bytes beside the frame's head.
_BATCHES, _SIZES, _REPEATS = range(1, 257), range(14, 3001), range(1, 1 << 31)


@dataclass(frozen=True, slots=True)
class FramesResult:
    """Frames that went through pools, and the seconds that this took."""

    frames: int
    seconds: float


def run_frames(
    count: int,
    *,
    batch: int = 64,
    size: int = 64,
    cpu: int | None = None,
    per_pool: int = FRAMES_PER_POOL,
    out: int | None = None,
) -> FramesResult:
    """Pass *count* frames of *size* bytes through page_pools, *per_pool* through each, on *cpu* (None: not pinned).

    They are dropped, or sent out of the device with ifindex *out*, which ``redirect.veth_that_drops`` makes. The kernel
    allocates and frees *batch* frames at a time (1 to 256). UsageError for values that no kernel takes; LabError when
    this one refuses.
    """
    results = list(bursts(count, batch=batch, size=size, cpu=cpu, per_pool=per_pool, out=out))
    return FramesResult(sum(each.frames for each in results), sum(each.seconds for each in results))


def bursts(
    count: int | None,
    *,
    batch: int = 64,
    size: int = 64,
    cpu: int | None = None,
    per_pool: int = FRAMES_PER_POOL,
    out: int | None = None,
) -> Iterator[FramesResult]:
    """As :func:`run_frames`, one result per pool, which lets the caller stop between two. Without end for None."""
    check_values(batch, size, per_pool)
    with pinned(cpu), _loaded(returning(XDP_DROP) if out is None else redirecting(out)) as program:
        for frames in parts(count, per_pool):
            yield _burst(program, frames, batch, size)


def check_values(batch: int, size: int, per_pool: int) -> None:
    """UsageError for what the kernel would only call an invalid argument."""
    for name, value, allowed in (("batch", batch, _BATCHES), ("size", size, _SIZES), ("per pool", per_pool, _REPEATS)):
        if value not in allowed:
            raise UsageError(f"frames: {name} is {value}, but must be {allowed[0]} to {allowed[-1]}")


def parts(count: int | None, largest: int) -> Iterator[int]:
    """*count* cut into pieces of at most *largest*, the last one smaller; None never ends."""
    left = count
    while left is None or left > 0:
        part = largest if left is None else min(left, largest)
        yield part
        left = None if left is None else left - part


@contextmanager
def _loaded(code: bytes) -> Iterator[int]:
    try:
        with _signals_held():
            program = load(TYPE_XDP, code, "ppobserve_lab")
    except BpfError as error:
        raise refused("cannot make frames", error, *XDP) from error
    try:
        yield program
    finally:
        os.close(program)


def _burst(program: int, frames: int, batch: int, size: int) -> FramesResult:
    begin = time.monotonic()
    try:
        with _signals_held():
            test_run(program, data=bytes(size), repeat=frames, flags=TEST_XDP_LIVE_FRAMES, batch=batch)
    except BpfError as error:
        raise _refused(error) from error
    return FramesResult(frames, time.monotonic() - begin)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let signals wait.

    One would end a run, and the kernel does not tell after how many frames; it would also end a load, in the verifier.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _refused(error: BpfError) -> LabError:
    old = "this kernel has no live frames: they came with 5.18"
    return LabError(f"cannot make frames: {error.what}", because=old if error.errno == errno.EINVAL else error.because)
