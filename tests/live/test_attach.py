"""Everything attaches, and everything is gone afterwards: every rung and level, on any kernel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppobserve.kernel.bpf import program_ids
from ppobserve.kernel.features import gather
from ppobserve.model.features import Features
from ppobserve.model.plan import Level, Rung
from ppobserve.probe import abi
from ppobserve.probe import source as sources
from ppobserve.probe.attach import attach
from ppobserve.source.live import Live
from tests.live.conftest import eventually

SECONDS = 20  # the kernel frees a program after every CPU has passed a quiet moment


@pytest.mark.parametrize("level", [Level.LEAN, Level.FULL])
def test_every_hook_holds_and_leaves_nothing(features: Features, rung: Rung, level: Level) -> None:
    before = program_ids()
    with attach(features, level, forced=rung) as attached:
        assert set(attached.hooks_attached().values()) == {True}
        assert set(attached.hooks_missed().values()) == {0}
        snapshot = Live(attached).read()
        assert (snapshot.plan.rung, snapshot.plan.level) == (rung, level)
        ours = program_ids() - before
        assert len(ours) >= len(attached.plan.hooks)
    assert eventually(lambda: not ours & program_ids(), SECONDS)


@pytest.mark.parametrize("cpus", [360, 1024])
def test_the_end_of_a_pool_is_not_too_long_for_the_verifier_on_a_big_machine(features: Features, cpus: int) -> None:
    big = replace(sources.tables(features), cpus=cpus, nodes=abi.nodes_told_apart(cpus, abi.MAX_NODES))
    with attach(features, Level.LEAN, tables=big) as attached:
        assert attached.log == ()
        assert attached.hooks_attached()["release"]


def test_gathering_facts_leaves_nothing_attached() -> None:
    assert gather().refusals.keys() == {"fentry", "kprobe"}
