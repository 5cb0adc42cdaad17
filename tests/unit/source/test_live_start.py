"""What becomes of attached programs when their reader cannot start."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ppobserve.kernel.bpf import BpfError
from ppobserve.kernel.clock import Clock
from ppobserve.model.plan import Level, Plan, Rung
from ppobserve.probe import abi
from ppobserve.probe.attach import Attached
from ppobserve.source import live
from ppobserve.source.live import Live


def no_clock() -> Clock:
    raise BpfError("cannot load BPF program clocks", errno.ENOMEM)


def no_reader(*_: object, **__: object) -> None:
    raise BpfError("cannot map the tables", errno.ENOMEM)


@pytest.mark.parametrize(("part", "refuse"), [("clock.measure", no_clock), ("Reader", no_reader)])
def test_programs_are_detached_when_their_reader_cannot_start(
    part: str, refuse: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.open(os.devnull, os.O_RDONLY)
    plan = Plan(Level.LEAN, Rung.TRACEPOINT, ())
    attached = Attached(plan, abi.Tables(cpus=1, nodes=1), {"link:one": link})
    monkeypatch.setattr(live, "gather", lambda: None)
    monkeypatch.setattr(live, "attach", lambda *_, **__: attached)
    monkeypatch.setattr(live.clock, "measure", Clock)
    monkeypatch.setattr(f"ppobserve.source.live.{part}", refuse)
    with pytest.raises(BpfError, match="Cannot allocate memory"):
        Live.start(Level.LEAN)
    assert attached.closed and not Path(f"/proc/self/fd/{link}").exists()
