"""Everything attaches, and everything is gone afterwards: every rung and level, on any kernel."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ppobserve.errors import NotObservable
from ppobserve.kernel import bpf, perf, programs
from ppobserve.kernel.features import gather
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung
from ppobserve.probe import abi, program_text
from ppobserve.probe.attach import attach, trial
from ppobserve.source.live import Live
from tests.live.conftest import TURNS
from tests.live.owned import gone, left_since, programs_of

HELPER, CALLING_HELPER = "bpf_get_current_uid_gid", programs.instruction(0x85, imm=15) + programs.returning(0)
CALLS = 101


@pytest.mark.parametrize("level", [Level.LEAN, Level.FULL])
def test_every_hook_holds_and_leaves_nothing(features: Features, rung: Rung, level: Level) -> None:
    """And misses nothing from the start, unless the kernel skipped a program in the midst of the traffic of others."""
    assert any(holds_and_misses_nothing(features, rung, level) for _ in range(TURNS))


def holds_and_misses_nothing(features: Features, rung: Rung, level: Level) -> bool:
    before = programs_of()
    with attach(features, level, forced=rung) as attached:
        assert set(attached.hooks_attached().values()) == {True}
        missed = attached.hooks_missed()
        snapshot = Live(attached).read()
        assert (snapshot.plan.rung, snapshot.plan.level) == (rung, level)
        ours = programs_of() - before
        assert len(ours) >= len(attached.plan.hooks)
    assert gone(ours)
    return set(missed.values()) == {0}


@pytest.mark.host
@pytest.mark.parametrize(
    ("header", "one", "other"), [("abi.h", "RETURN_NUMA", "RETURN_RING_FULL"), ("abi.h", "IN_CACHE", "IN_RING")]
)
def test_enumerators_that_stand_in_another_order_than_here_do_not_compile(
    features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str, one: str, other: str
) -> None:
    folder = tmp_path / "bpf"
    shutil.copytree(program_text.bpf_folder(), folder)
    names = {one: other, other: one}
    text = re.sub(rf"\b({one}|{other})\b", lambda found: names[found[1]], (folder / header).read_text(), count=2)
    (folder / header).write_text(text)
    monkeypatch.setattr(program_text, "bpf_folder", lambda: folder)
    with pytest.raises(NotObservable, match=r"bpf/abi\.h and ppobserve/probe/abi\.py differ"):
        trial(features, Level.STANDARD, forced=Rung.TRACEPOINT)


@pytest.mark.host  # of a guest it is asked by test_commands.py, whose check tries each rung
@pytest.mark.parametrize("level", [Level.LEAN, Level.FULL])
def test_a_trial_leaves_nothing(features: Features, rung: Rung, level: Level) -> None:
    before = bpf.program_ids()
    assert trial(features, level, forced=rung).rung is rung
    assert not left_since(before)


@pytest.mark.parametrize("cpus", [*(pytest.param(cpus, marks=pytest.mark.host) for cpus in (360, 1024)), 8192])
def test_the_end_of_a_pool_is_not_too_long_for_the_verifier_on_a_big_machine(features: Features, cpus: int) -> None:
    big = replace(program_text.tables(features), cpus=cpus, nodes=abi.MAX_NODES)
    with attach(features, Level.LEAN, tables=big) as attached:
        assert attached.log == ()
        assert attached.hooks_attached()["release"]


def test_a_kprobe_that_another_kept_from_running_is_counted(features: Features, require: Callable[..., None]) -> None:
    """A kprobe does not run within another: the inner one is on a helper that the outer one's program calls."""
    require(not features.refusals["kprobe"], features.refusals["kprobe"], capability="kprobe")
    with ExitStack() as fds:
        xdp = kept(fds, programs.load(programs.TYPE_XDP, programs.returning(2), "traced"))
        outer = probed(fds, "bpf_prog_test_run_xdp", CALLING_HELPER)
        inner = probed(fds, HELPER, programs.returning(0))
        for _ in range(CALLS):
            bpf.test_run(xdp, data=bytes(64))
        missed = bpf.probe_misses(outer), bpf.probe_misses(inner)
    require(any(missed), "the kernel does not say what the kprobe of a link missed", capability="misses")
    assert missed == (0, CALLS)


def probed(fds: ExitStack, function: str, code: bytes) -> int:
    """The link of a kprobe on a function, at which a program of this code runs; its event on a kernel without links."""
    program = kept(fds, programs.load(programs.TYPE_KPROBE, code, "probe"))
    return kept(fds, perf.run_at(perf.open_kprobe(function), program))


def kept(fds: ExitStack, fd: int) -> int:
    fds.callback(os.close, fd)
    return fd


def test_gathering_facts_leaves_nothing_attached() -> None:
    assert gather().refusals.keys() == {"fentry", "kprobe"}
