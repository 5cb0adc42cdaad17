"""Traces: programs that send events, and the buffers that they come out of."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import time
from collections.abc import Mapping
from functools import lru_cache

from ppobserve.errors import ReadError
from ppobserve.kernel import bpf, clock, numa, perf
from ppobserve.kernel.kallsyms import Symbols
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Plan, Rung, make_plan
from ppobserve.model.trace import KINDS, Dropped, Event, Selection, TracePlan, trace_plan
from ppobserve.probe import abi, events, program_text
from ppobserve.probe.attach import Attached, climb, load, patience
from ppobserve.probe.hook_code import Purpose, files, in_order
from ppobserve.probe.ring import PerfBuffer, RingBuffer

RING_BYTES = 4 << 20
"""Of the one ring: 40,000 events, or 11,000 with their stacks."""
PERF_BYTES = 256 << 10
"""Of each CPU's buffer, where the kernel has no ring."""
MAPS = ("events", "tallies", "netdevs", "nodes")


class Tracer:
    """Programs that trace what was selected, at work until ``close``. Not for two threads at once."""

    def __init__(self, attached: Attached, selection: Selection, what: TracePlan, *, ring: bool) -> None:
        self.what, self.log = what, attached.log
        self.attached = attached
        tallies = ctypes.sizeof(events.Tally) * attached.tables.cpus
        self._tallies = mmap.mmap(
            attached.map("tallies"), -(-tallies // mmap.PAGESIZE) * mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ
        )
        self._decoder = events.Decoder(_frames(selection), lru_cache(4096)(Symbols().name))
        self._clock, self._skipped = clock.measure(), 0
        self._perf_fds: list[int] = []
        self._buffers: list[RingBuffer | PerfBuffer] = []
        self._buffers = [RingBuffer.mapped(attached.map("events"), RING_BYTES)] if ring else self._open_perf()
        _let_in(attached, selection)

    @classmethod
    def start(
        cls, features: Features, selection: Selection, *, rung: Rung | None = None, ring: bool | None = None
    ) -> Tracer:
        """Attach the best rung for *selection*. *ring* chooses the buffer; by default a ring where the kernel has one.

        NotObservable, LoaderError or ReadError when it can't be.
        """
        ring = bpf.has_ring_buffer() if ring is None else ring
        chosen: list[TracePlan] = []

        def choose(failed: Mapping[Rung, str]) -> Plan:
            chosen.append(trace_plan(make_plan(features, Level.STANDARD, forced=rung, failed=failed), selection))
            return chosen[-1].plan

        attached = climb(features, choose, lambda plan: _load(features, plan, selection, ring))
        try:
            return cls(attached, selection, chosen[-1], ring=ring)
        except BaseException:
            attached.close()
            raise

    @property
    def ring(self) -> bool:
        """Do events come through one ring, in their order, or through a buffer for each CPU?"""
        return not self._perf_fds

    def hooks_attached(self) -> dict[str, bool]:
        """Every hook of the plan: is each of its programs still attached?"""
        return self.attached.hooks_attached()

    def read(self) -> list[Event]:
        """What has happened since the last call, oldest first."""
        epoch_ns = time.time_ns() - self._clock.monotonic_ns()  # each time: the clock may have been set
        found = [self._decoder.event(record, epoch_ns) for buffer in self._buffers for record in buffer.records()]
        return sorted(found, key=lambda event: event.time_ns)

    def dropped(self) -> Dropped:
        """Events that were wanted and not sent, since the start."""
        size = ctypes.sizeof(events.Tally)
        cpus = range(self.attached.tables.cpus)
        tallies = [events.Tally.from_buffer_copy(self._tallies, cpu * size) for cpu in cpus]
        limited, lost = sum(tally.limited for tally in tallies), sum(tally.lost for tally in tallies)
        return Dropped(limited, lost, self._skips())

    def _skips(self) -> int:
        """How often the kernel skipped one of our programs: it can be asked while they are there."""
        if not self.attached.closed:
            self._skipped = sum(self.attached.hooks_missed().values())
        return self._skipped

    def stop(self) -> None:
        """Detach everything. What has been sent by then can still be read."""
        self._skips()
        self.attached.close()

    def close(self) -> None:
        """Let go of everything; twice is harmless."""
        self.stop()
        while self._perf_fds:
            os.close(self._perf_fds.pop())

    def _open_perf(self) -> list[RingBuffer | PerfBuffer]:
        """A buffer for each CPU that is there now; events of one that comes later are lost, and counted so."""
        buffers: list[RingBuffer | PerfBuffer] = []
        for cpu in numa.online_cpus():
            try:
                fd = perf.open_bpf_output(cpu, PERF_BYTES // 2)
            except OSError as error:
                raise ReadError(f"cannot open a perf buffer on CPU {cpu}: {error.strerror}") from None
            self._perf_fds.append(fd)
            buffers.append(PerfBuffer.mapped(fd, PERF_BYTES))
            bpf.update(self.attached.map("events"), _u32(cpu), _u32(fd))
        return buffers


def _load(features: Features, plan: Plan, selection: Selection, ring: bool) -> Attached:
    tables = abi.Tables(cpus=features.cpus, nodes=events.NODES)
    defines = {**program_text.defines(features, plan, tables), **_choices(selection, ring)}
    request = {
        "text": program_text.unit(files(plan, Purpose.TRACE), events.assertions(_frames(selection))),
        "cflags": [f"-D{name}={value}" for name, value in defines.items()],
        "shim": str(program_text.shim_folder()),
        "tables": {},
        "maps": MAPS,
        "freeze": [],
        "tail_calls": {},
        "load": [],
        "attach": in_order(plan, Purpose.TRACE),
    }
    return Attached(plan, tables, load(request, patience(features)), purpose=Purpose.TRACE)


def _choices(selection: Selection, ring: bool) -> dict[str, int]:
    """What bpf/trace/send.h is compiled for."""
    return {
        "EVENTS": sum(1 << KINDS.index(kind) for kind in selection.shown),
        "LIMIT": selection.limit,
        "STACK": _frames(selection),
        **({"RING_PAGES": RING_BYTES // mmap.PAGESIZE, "PAGE_SIZE": mmap.PAGESIZE} if ring else {}),
        **({"ONLY_NETDEVS": 1} if selection.netdevs else {}),
        **({"ONLY_NODES": 1} if selection.nodes else {}),
    }


def _frames(selection: Selection) -> int:
    return events.FRAMES if selection.stack else 0


def _let_in(attached: Attached, selection: Selection) -> None:
    """Tell the filters what is wanted: until then nothing passes them."""
    for netdev in selection.netdevs:
        bpf.update(attached.map("netdevs"), os.fsencode(netdev).ljust(abi.NAME_BYTES, b"\0"), b"\1")
    for node in selection.nodes:
        bpf.update(attached.map("nodes"), _u32(node), b"\1")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)
